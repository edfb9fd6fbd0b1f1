// What a beat or a joining brings back: the members with their beats, and whose each write on its
// way is; and what is in such a write. Reads strictly; what isn't in the known form is nothing.

export interface ListedIntent {
  readonly id: string;
  readonly owner: string;
}

/** What is in an intent. */
export interface Intent {
  readonly tags: readonly string[] | 'everything';
  /** How long its owner wanted it held; 0 where nothing is said of it. */
  readonly holdMs: number;
}

export interface Roster {
  readonly text: string;
  readonly epoch: string;
  /** Member to beat. */
  readonly beats: ReadonlyMap<string, string>;
  readonly intents: readonly ListedIntent[];
}

export function parseRoster(text: unknown, list?: unknown): Roster | undefined {
  if (typeof text !== 'string') return undefined;
  const [epoch, ...members] = text.split(' ');
  if (epoch === undefined) return undefined;
  const beats = new Map<string, string>();
  for (const member of members) {
    const at = member.lastIndexOf('=');
    if (at > 0) beats.set(member.slice(0, at), member.slice(at + 1));
  }
  const intents: ListedIntent[] = [];
  const items: readonly unknown[] = Array.isArray(list) ? list : [];
  for (let i = 0; i < items.length; i += 2) {
    const [id, owner] = [items[i], items[i + 1]];
    if (typeof id === 'string' && typeof owner === 'string') intents.push({ id, owner });
  }
  return { text, epoch, beats, intents };
}

export function parseIntent(json: unknown): Intent | undefined {
  if (typeof json !== 'string') return undefined;
  const value = fromJson(json);
  if (typeof value !== 'object' || value === null) return undefined;
  const { tags, everything, holdMs: told } = value as Record<string, unknown>;
  const holdMs = typeof told === 'number' ? told : 0;
  if (everything === true) return { tags: 'everything', holdMs };
  // An empty list comes out of Lua as an empty object.
  const list: readonly unknown[] = Array.isArray(tags) ? tags : [];
  return { tags: list.filter((tag) => typeof tag === 'string'), holdMs };
}

function fromJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined; // not ours: no intent
  }
}
