// The demo's walk: what is asked in which order, what must come of it, and why it is worth
// seeing. It knows the gateway's address and nothing else about it.
import { request } from 'undici';

export interface Step {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly sentence: string;
  /** What is not as it was stated; nothing when all is. */
  readonly check: (reply: Reply) => string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly ms: number;
  /** Our own member of `Cache-Status`, the last. */
  readonly cache: string;
  readonly headers: Headers;
  readonly text: string;
}

export interface Walk {
  readonly url: string;
  readonly delayMs: number;
  readonly told: (step: Step, reply: Reply, wrong: string | undefined) => void;
}

export interface Count {
  readonly steps: number;
  readonly wrong: number;
}

/** Takes the steps one after another, each knowing what came before. */
export async function walk({ url, delayMs, told }: Walk): Promise<Count> {
  const count = { steps: 0, wrong: 0 };
  const take = async (step: Step): Promise<Reply> => {
    const reply = await ask(url, step);
    const wrong = step.check(reply);
    count.steps++;
    if (wrong !== undefined) count.wrong++;
    told(step, reply, wrong);
    return reply;
  };
  const first = await reads(take, delayMs);
  await writes(take, url, first);
  return count;
}

type Take = (step: Step) => Promise<Reply>;

/** The first read, slow, and what it is good for afterwards; returns the first answer. */
async function reads(take: Take, delayMs: number): Promise<Reply> {
  const first = await take({
    method: 'GET',
    path: '/posts',
    sentence: `Nobody has asked before, so the API is asked, which takes its ${delayMs} ms.`,
    check: (reply) =>
      status(reply, 200) ??
      shows(reply, 'fwd=uri-miss', 'stored') ??
      unless(reply.ms >= delayMs, `slower than ${delayMs} ms`),
  });
  await take({
    method: 'GET',
    path: '/posts',
    sentence: 'The same list from the cache; the API sees nothing of it.',
    check: (reply) =>
      status(reply, 200) ??
      isHit(reply) ??
      unless(reply.ms < delayMs, `faster than the API's ${delayMs} ms`) ??
      unless(reply.text === first.text, 'the same bytes'),
  });
  await take({
    method: 'GET',
    path: '/posts',
    headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    sentence: 'A client that has the list already is told so, and gets no body.',
    check: (reply) => status(reply, 304) ?? isHit(reply) ?? unless(reply.text === '', 'no body'),
  });
  return first;
}

/** A post made, changed and deleted; after each write, what reads show of it at once. */
async function writes(take: Take, url: string, before: Reply): Promise<void> {
  const made = await take({
    method: 'POST',
    path: '/posts',
    body: { title: 'Never stale', author: 'you' },
    sentence: 'A new post goes to the API; the list that was kept ends with it.',
    check: (reply) =>
      status(reply, 201) ??
      shows(reply, 'fwd=') ??
      unless(
        reply.headers.get('location') === `${url}/posts/${idOf(reply)}`,
        `Location is ${url}/posts/${idOf(reply)}`,
      ),
  });
  const path = `/posts/${idOf(made)}`;
  await list(take, 'Asked at once: it has the new post, from the refresh that the POST began.', {
    has: 'Never stale',
    hasNot: undefined,
    sure: false,
  });
  await list(take, 'And from now on it comes from the cache again.', {
    has: 'Never stale',
    hasNot: undefined,
    sure: true,
  });

  await take({
    method: 'GET',
    path,
    sentence: 'The new post where Location says: asked for the first time.',
    check: (reply) => status(reply, 200) ?? holds(reply, 'Never stale'),
  });
  await take({
    method: 'PUT',
    path,
    body: { title: 'Always fresh', author: 'you' },
    sentence: 'The post is changed; the post and the list are refreshed.',
    check: (reply) => status(reply, 200),
  });
  await take({
    method: 'GET',
    path,
    sentence: 'The post has its new title.',
    check: (reply) => status(reply, 200) ?? holds(reply, 'Always fresh'),
  });
  await list(take, 'So has the list.', { has: 'Always fresh', hasNot: 'Never stale', sure: false });

  await take({
    method: 'DELETE',
    path,
    sentence: 'The post is deleted.',
    check: (reply) => status(reply, 200),
  });
  await take({
    method: 'GET',
    path,
    sentence: 'It is gone, and so is what was kept of it.',
    check: (reply) => status(reply, 404),
  });
  await take({
    method: 'GET',
    path: '/posts',
    sentence: 'The list is what it was at the start.',
    check: (reply) => status(reply, 200) ?? unless(reply.text === before.text, 'the first list'),
  });
}

interface Expected {
  readonly has: string;
  readonly hasNot: string | undefined;
  /** From the cache for sure, and not by a refresh that is under way. */
  readonly sure: boolean;
}

/** A read of the list after a write: by a refresh under way, or surely from the cache. */
async function list(take: Take, sentence: string, { has, hasNot, sure }: Expected): Promise<void> {
  await take({
    method: 'GET',
    path: '/posts',
    sentence,
    check: (reply) =>
      status(reply, 200) ??
      holds(reply, has) ??
      (hasNot === undefined ? undefined : unless(!reply.text.includes(hasNot), `no "${hasNot}"`)) ??
      (sure
        ? isHit(reply)
        : unless(
            isHit(reply) === undefined || /collapsed/.test(reply.cache),
            'a hit, or collapsed with the refresh',
          )),
  });
}

// By undici, as a plain client: `fetch` adds `Cache-Control: no-cache` to conditional requests.
async function ask(url: string, step: Step): Promise<Reply> {
  const sent = step.body === undefined ? undefined : JSON.stringify(step.body);
  const begun = performance.now();
  const response = await request(url + step.path, {
    method: step.method,
    headers: {
      'accept-encoding': 'identity',
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...step.headers,
    },
    signal: AbortSignal.timeout(30_000),
    body: sent ?? null,
  });
  const text = await response.body.text();
  const headers = new Headers(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  return {
    status: response.statusCode,
    ms: performance.now() - begun,
    cache: ownMember(headers.get('cache-status')),
    headers,
    text,
  };
}

/** `Cache-Status` is a list with one member for each cache on the way; ours is appended last. */
function ownMember(value: string | null): string {
  return value?.slice(Math.max(0, value.lastIndexOf('everfresh'))) ?? '(none)';
}

function idOf(reply: Reply): string {
  const id = /"id":\s*(\w+)/.exec(reply.text);
  return id?.[1] ?? '(no id)';
}

const unless = (ok: boolean, expected: string): string | undefined => (ok ? undefined : expected);
const status = (reply: Reply, code: number): string | undefined =>
  unless(reply.status === code, `status ${code}`);
const holds = (reply: Reply, text: string): string | undefined =>
  unless(reply.text.includes(text), `"${text}" in the body`);
const isHit = (reply: Reply): string | undefined =>
  unless(/^everfresh;\s*hit\b/.test(reply.cache), 'a hit');
const shows = (reply: Reply, ...parts: string[]): string | undefined =>
  unless(
    parts.every((part) => reply.cache.includes(part)),
    `Cache-Status: ${parts.join('; ')}`,
  );
