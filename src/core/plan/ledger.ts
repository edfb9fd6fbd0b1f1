// Who reads what: the entries in use, by tag, with how often and how lately they were asked for and
// what they cost. It answers which of them a write should fetch again, hottest first. Bounded; what
// it forgets is not refreshed, only invalid.
import type { Entry, Key } from '../entry/entry.ts';
import type { Cacheable } from '../key/meaning.ts';
import type { Reader } from '../key/reader.ts';
import type { ReadRule } from '../rules/config.ts';
import { ASIDE, heatOf, Hottest, ManyUses, stepOf, type Use } from './heat.ts';

export type { Use } from './heat.ts';

/** What a use costs beside its texts and its content, in bytes. */
const USE_BYTES = 512;

/** More under one tag are kept in order. */
const FEW = 64;

/** Looking through all uses costs time, so a full route is not looked through at each request. */
const LOOK_AGAIN_MS = 10_000;

export class Ledger {
  readonly #uses = new Map<Key, Use>();
  readonly #byTag = new Map<string, Use[] | ManyUses>();
  readonly #byRoute = new Map<string, number>();
  /** When a full route was last looked through, for each pattern of the file. */
  readonly #lookedAt = new Map<string, number>();
  /** How often uses were looked through. */
  #looks = 0;
  readonly #usesMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  /** Bounded in number, and in bytes by what it takes to fetch them again. */
  constructor(usesMax: number, bytesMax = Infinity) {
    this.#usesMax = usesMax;
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** Variants of a route that are in use. */
  variants(pattern: string): number {
    return this.#byRoute.get(pattern) ?? 0;
  }

  /** Whether the route may have one more; those that nobody has read for `recent` make room. */
  hasRoom({ pattern, maxVariants, keepFresh }: ReadRule, mono: number): boolean {
    if (this.variants(pattern) < maxVariants) return true;
    const lookedAt = this.#lookedAt.get(pattern) ?? -Infinity;
    if (mono - lookedAt < LOOK_AGAIN_MS) return false;
    this.#lookedAt.set(pattern, mono);
    for (const use of [...this.#uses.values()]) {
      const unread = mono - use.readAt > keepFresh.recentMs;
      if (unread && use.meaning.rule.pattern === pattern) this.forget(use.key);
    }
    return this.variants(pattern) < maxVariants;
  }

  /** Whether a reader may have one more answer in use; those unread for long make room. */
  hasRoomFor({ tag, identity }: Reader, { keepFresh }: ReadRule, mono: number): boolean {
    const max = identity.max.variantsEach;
    const under = this.#byTag.get(tag);
    if (under === undefined) return max > 0;
    const count = (): number => (under instanceof ManyUses ? under.size : under.length);
    if (count() < max) return true;
    const unread: Use[] = [];
    const look = (use: Use): boolean => {
      if (mono - use.readAt > keepFresh.recentMs) unread.push(use);
      return false;
    };
    if (under instanceof ManyUses) under.each(look);
    else under.forEach(look);
    for (const { key } of unread) this.forget(key);
    return count() < max;
  }

  has(key: Key): boolean {
    return this.#uses.has(key);
  }

  get(key: Key): Use | undefined {
    return this.#uses.get(key);
  }

  /** A reader was given this entry. `before`: its use as of the last time, where that is known. */
  read(entry: Entry, meaning: Cacheable, mono: number, before?: Use): Use {
    let use = before?.forgotten === false ? before : this.#uses.get(entry.key);
    if (use === undefined) {
      const { key, tags, fetchMs, receivedAt } = entry;
      use = {
        key, meaning: nobodys(meaning), tags, hits: 0, readAt: mono, fetchMs, receivedAt,
        step: 1, lookedAt: 0, forgotten: false,
      };
      this.#add(use);
    } else if (use.receivedAt !== entry.receivedAt || !same(use.tags, entry.tags)) {
      this.#retag(use, entry);
    }
    // Old heat is not heat: a pause longer than `recent` starts the count again.
    use.hits = mono - use.readAt > meaning.rule.keepFresh.recentMs ? 1 : use.hits + 1;
    if (use.meaning.rule !== meaning.rule || use.meaning.route !== meaning.route) {
      this.#bytes -= bytesOf(use);
      use.meaning = nobodys(meaning);
      this.#bytes += bytesOf(use);
    }
    use.readAt = mono;
    const step = stepOf(use);
    if (step !== use.step) this.#move(use, step);
    return use;
  }

  /**
   * The uses under any of these tags that are worth a fetch: read within their route's `recent`,
   * and `readsMin` times; hottest (hits x fetch time) first, at most `top` of each route. Where
   * very many are about as hot as each other, some of them. `may`: whether it can be fetched.
   */
  dependents(
    tags: Iterable<string>, mono: number,
    { readsMin = 1, may = () => true }: { readsMin?: number; may?: (use: Use) => boolean } = {},
  ): Use[] {
    this.#looks += 1;
    const byRoute = new Map<string, Hottest>();
    const take = (use: Use): boolean => {
      if (use.lookedAt === this.#looks) return false;
      use.lookedAt = this.#looks;
      const { rule } = use.meaning;
      if (mono - use.readAt > rule.keepFresh.recentMs) {
        this.#move(use, ASIDE);
        return false;
      }
      if (use.hits < readsMin || !may(use)) return false;
      let hottest = byRoute.get(rule.pattern);
      if (hottest === undefined) byRoute.set(rule.pattern, hottest = new Hottest());
      hottest.add(use, rule.keepFresh.top);
      return true;
    };
    for (const tag of tags) {
      const under = this.#byTag.get(tag);
      if (under instanceof ManyUses) under.each(take);
      else under?.forEach(take);
    }
    const found = [...byRoute.values()].flatMap(({ uses }) => uses);
    return found.sort((a, b) => heatOf(b) - heatOf(a));
  }

  forget(key: Key): void {
    const use = this.#uses.get(key);
    if (use === undefined) return;
    use.forgotten = true;
    this.#uses.delete(key);
    this.#bytes -= bytesOf(use);
    this.#count(use, -1);
    this.#untag(use);
  }

  /** Forgets what no rule of this configuration would ask for any more. */
  keepOnly(hashes: ReadonlySet<string>): void {
    for (const { key, meaning } of [...this.#uses.values()]) {
      if (!hashes.has(meaning.rule.hash)) this.forget(key);
    }
  }

  #add(use: Use): void {
    const bytes = bytesOf(use);
    while (this.#uses.size > 0
      && (this.#uses.size >= this.#usesMax || this.#bytes + bytes > this.#bytesMax)) {
      this.forget(this.#uses.keys().next().value!);
    }
    this.#uses.set(use.key, use);
    this.#bytes += bytes;
    this.#count(use, 1);
    this.#tag(use);
  }

  #retag(use: Use, entry: Entry): void {
    this.#untag(use);
    use.tags = entry.tags;
    use.fetchMs = entry.fetchMs;
    use.receivedAt = entry.receivedAt;
    this.#tag(use);
    // Back to the young end, so that the bound forgets what has not been fetched for longest.
    this.#uses.delete(use.key);
    this.#uses.set(use.key, use);
  }

  #tag(use: Use): void {
    for (const tag of use.tags) {
      const under = this.#byTag.get(tag);
      if (under === undefined) this.#byTag.set(tag, [use]);
      else if (under instanceof ManyUses) under.add(use);
      else if (under.at(-1) === use) continue;
      else if (under.length === FEW) this.#byTag.set(tag, new ManyUses([...under, use]));
      else under.push(use);
    }
  }

  #untag(use: Use): void {
    for (const tag of use.tags) {
      const under = this.#byTag.get(tag);
      if (under instanceof ManyUses) {
        under.delete(use);
        if (under.size === 0) this.#byTag.delete(tag);
      } else if (under !== undefined) {
        const at = under.indexOf(use);
        if (at >= 0) under.splice(at, 1);
        if (under.length === 0) this.#byTag.delete(tag);
      }
    }
  }

  #move(use: Use, step: number): void {
    const many = use.tags.map((tag) => this.#byTag.get(tag))
      .filter((under) => under instanceof ManyUses);
    for (const uses of many) uses.delete(use);
    use.step = step;
    for (const uses of many) uses.add(use);
  }

  #count(use: Use, by: number): void {
    const { pattern } = use.meaning.rule;
    const count = this.variants(pattern) + by;
    if (count === 0) this.#byRoute.delete(pattern);
    else this.#byRoute.set(pattern, count);
  }
}

function same(tags: readonly string[], others: readonly string[]): boolean {
  return tags === others
    || (tags.length === others.length && tags.every((tag, i) => tag === others[i]));
}

/** Without what only its reader's request said, a credential above all. */
function nobodys(meaning: Cacheable): Cacheable {
  const { credential: _credential, ...kept } = meaning;
  return { ...kept, asking: 'none', telling: [] };
}

function bytesOf({ meaning: { recipe } }: Use): number {
  const { target, path, fields, body } = recipe;
  let bytes = USE_BYTES + target.length + path.length + (body?.byteLength ?? 0);
  for (const text of fields) bytes += text.length;
  return bytes;
}
