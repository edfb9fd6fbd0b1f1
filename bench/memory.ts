// What the entries in memory cost: `node bench/memory.ts --entries 1000000` fills the memory tier
// with answers of one kilobyte, then asks for few of them often and for all of them by chance, and
// prints bytes, nanoseconds and pauses as JSON; `--body` and `--bound` are bytes. How long the
// machine itself lets a process wait stands beside the pauses.
import { hash } from 'node:crypto';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Entry, Epoch, Key, Seq } from '../src/core/entry/entry.ts';
import { memoryEntries } from '../src/io/memory.ts';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' }, body: { type: 'string', default: '1024' },
    bound: { type: 'string', default: String(2 ** 31) },
  },
});
const count = Number(values.entries);
const bodyBytes = Number(values.body);
// As many as a busy server does before it looks at its sockets again.
const AT_ONCE = 20;
const HOT = 10_000;
const GETS = 1_000_000;
const ROUNDS = 5;

const keyOf = (n: number): Key => hash('sha256', String(n), 'base64url') as Key;
const filler = Buffer.alloc(bodyBytes, 'all work and no play ');

function answer(n: number): Entry {
  const path = `/users/${n % 1000}/posts/${n}`;
  const body = new Uint8Array(filler);
  Buffer.from(body.buffer).write(String(n));
  return {
    kind: 'answer', key: keyOf(n), epoch: 'c0a80165-0001-4000-8000-00805f9b34fb' as Epoch,
    asOf: 0 as Seq,
    tags: [
      '/users/:user/posts/:post', `/users/:user/posts/:post user=${n % 1000}`,
      `/users/:user/posts/:post post=${n}`, `/users/:user/posts/:post user=${n % 1000}&post=${n}`,
      `/users/:user/posts/:post user=${n % 1000}&post=${n} ?`,
    ],
    recipe: {
      kind: 'http', method: 'GET', target: path, path, pattern: '/users/:user/posts/:post',
      fields: ['Accept', 'application/json', 'Accept-Encoding', 'gzip'],
    },
    status: 200, reason: 'OK',
    fields: [
      'Content-Type', 'application/json; charset=utf-8', 'Cache-Control', 'public, max-age=60',
      'ETag', `"${n.toString(36)}"`, 'Date', new Date(1.7e12 + n * 10).toUTCString(),
      'Content-Length', String(bodyBytes), 'Server', 'bench',
    ],
    body, receivedAt: 1.7e12 + n * 10, initialAgeMs: 0, freshMs: 60_000,
    staleWhileRevalidateMs: 0, staleIfErrorMs: 0, shareable: 'everyone', fetchMs: 1.5 + (n % 7),
  };
}

const ownBytes = ({ key, fields, body }: Entry): number =>
  key.length + fields.reduce((sum, text) => sum + text.length, 0) + body.length;

interface Paused {
  /** The longest, by the collector's own word. */
  readonly gcMs: number;
  /** The longest that the event loop was away. */
  readonly loopMs: number;
  /** How often it was away for more than 10 ms. */
  readonly over10Ms: number;
  readonly ns: number;
}

/** Calls so many times, `AT_ONCE` to a turn of the event loop. */
async function paced(calls: number, call: (i: number) => number): Promise<Paused> {
  let gcMs = 0;
  let ns = 0;
  let over10Ms = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gcMs = Math.max(gcMs, duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (let i = 0; i < calls;) {
    const from = performance.now();
    for (let n = 0; n < AT_ONCE && i < calls; n += 1, i += 1) ns += call(i);
    await setImmediate();
    if (performance.now() - from > 10) over10Ms += 1;
  }
  delay.disable();
  await setImmediate();
  observer.disconnect();
  return { gcMs, loopMs: delay.max / 1e6, over10Ms, ns: ns / calls };
}

/** Nanoseconds a call, in the best of some rounds: what others do on this machine is left out. */
function timed(calls: number, call: (i: number) => unknown): number {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = performance.now();
    for (let i = 0; i < calls; i += 1) call(i);
    best = Math.min(best, (performance.now() - from) * 1e6 / calls);
  }
  return best;
}

/** The longest that this process does not run for, while it wants nothing but to run. */
function machineMs(forMs: number): number {
  const end = performance.now() + forMs;
  let longest = 0;
  for (let last = performance.now(); last < end;) {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

const machineBefore = machineMs(5000);
const entries = memoryEntries({ bytes: Number(values.bound) });
let own = 0;
const growing = await paced(count, (i) => {
  const one = answer(i);
  own += ownBytes(one);
  const from = performance.now();
  entries.put(one);
  return (performance.now() - from) * 1e6;
});
const { size, bytes } = entries;
const rssMb = Math.round(process.memoryUsage.rss() / 1e6);

const hotKeys = Array.from({ length: Math.min(HOT, count) }, (_, i) => keyOf(count - 1 - i));
for (let i = 0; i < 20 * hotKeys.length; i += 1) entries.get(hotKeys[i % hotKeys.length]!);
const hotNs = timed(GETS, (i) => entries.get(hotKeys[i % hotKeys.length]!));
const coldKeys = Array.from({ length: 100_000 }, () => keyOf(Math.floor(Math.random() * count)));
const coldNs = timed(coldKeys.length, (i) => entries.get(coldKeys[i]!));
const resting = await paced(1_000_000, (i) => {
  entries.get(i % 10 > 0 ? hotKeys[i % hotKeys.length]! : coldKeys[(i / 10) % coldKeys.length]!);
  return 0;
});
// Everything is put once more, as newer answers are: dead records make room for them.
const replacing = await paced(count, (i) => {
  const one = { ...answer(i), asOf: 1 as Seq, receivedAt: 1.8e12 + i };
  const from = performance.now();
  entries.put(one);
  return (performance.now() - from) * 1e6;
});

const round = (n: number): number => Number(n.toPrecision(4));
const pauses = ({ gcMs, loopMs, over10Ms }: Paused): object =>
  ({ gcMs: round(gcMs), loopMs: round(loopMs), over10Ms });
process.stdout.write(`${JSON.stringify({
  entries: size, bytes, overheadBytes: round((bytes - own * size / count) / size), rssMb,
  heapMb: Math.round(process.memoryUsage().heapUsed / 1e6),
  pauses: {
    machine: { before: round(machineBefore), after: round(machineMs(5000)) },
    growing: pauses(growing), resting: pauses(resting), replacing: pauses(replacing),
  },
  ns: {
    put: round(growing.ns), replace: round(replacing.ns), hotGet: round(hotNs),
    coldGet: round(coldNs),
  },
  after: { entries: entries.size, bytes: entries.bytes,
    rssMb: Math.round(process.memoryUsage.rss() / 1e6) },
}, undefined, 1)}\n`);
