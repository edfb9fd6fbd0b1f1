// What a beat or a joining brings back: the members with their beats, and the writes on their way.
// Reads it strictly; whatever isn't in the known form is no roster.

export interface ListedIntent {
  readonly id: string;
  readonly owner: string;
  readonly tags: readonly string[] | 'everything';
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
    const intent = parseIntent(items[i], items[i + 1]);
    if (intent !== undefined) intents.push(intent);
  }
  return { text, epoch, beats, intents };
}

export function parseIntent(id: unknown, json: unknown): ListedIntent | undefined {
  if (typeof id !== 'string' || typeof json !== 'string') return undefined;
  const value = fromJson(json);
  if (typeof value !== 'object' || value === null) return undefined;
  const { owner, tags, everything } = value as Record<string, unknown>;
  if (typeof owner !== 'string') return undefined;
  if (everything === true) return { id, owner, tags: 'everything' };
  // An empty list comes out of Lua as an empty object.
  const list: readonly unknown[] = Array.isArray(tags) ? tags : [];
  return { id, owner, tags: list.filter((tag) => typeof tag === 'string') };
}

function fromJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined; // not ours: no intent
  }
}
