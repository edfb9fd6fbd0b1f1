// The rows of docs/http.md, one by one, through a whole gateway without a file: what an upstream
// says, and whether the next reader is answered from the cache. Each row has a test of the same
// words, and each test its row.
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { dial, front, type Front, once, type RawAnswer, rawUpstream } from '../raw.ts';
import { VirtualClock } from '../virtual-clock.ts';

const MINUTE = 'Cache-Control: max-age=60';
const ETAG = 'ETag: "a"';
const date = (ms: number): string => new Date(ms).toUTCString();

interface Said {
  readonly status?: number;
  readonly lines?: readonly string[];
  readonly body?: string;
}

/** One gateway, and an upstream that says the same until it is told otherwise. */
class World {
  readonly clock = new VirtualClock();
  readonly seen: string[] = [];
  readonly heads: string[] = [];
  says: (line: string, head: string) => Said = () => ({});
  /** Breaks the connection instead of answering. */
  silent = false;
  /** What is asked for: another one for each that `keeps` begins with. */
  target = '/a';
  #front: Front | undefined;
  readonly #t: Test;

  constructor(t: Test) {
    this.#t = t;
  }

  async open(): Promise<void> {
    const upstream = await rawUpstream(this.#t, ({ line, head, write, socket }) => {
      this.seen.push(line);
      this.heads.push(head);
      if (this.silent) return void socket.destroy();
      const { status = 200, lines = [], body = 'body' } = this.says(line, head);
      const bare = status === 304 || status === 204 || line.startsWith('HEAD');
      const length = bare && status !== 200 ? [] : [`Content-Length: ${body.length}`];
      const told = [`HTTP/1.1 ${status} Said`, ...lines, ...length].join('\r\n');
      write(`${told}\r\n\r\n${bare ? '' : body}`);
    });
    this.#front = await front(this.#t, upstream.url, { clock: this.clock });
  }

  ask(method: string, target: string, ...lines: string[]): Promise<RawAnswer> {
    const head = [`${method} ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n');
    if (method !== 'HEAD') return once(this.#t, this.#front!.url, `${head}\r\n\r\n`);
    return dial(this.#t, this.#front!.url).then(async (client) => {
      client.write(`${head}\r\n\r\n`);
      return (await client.answer({ toHead: true }))!;
    });
  }

  get(...lines: string[]): Promise<RawAnswer> {
    return this.ask('GET', this.target, ...lines);
  }

  /** Whether a reader is answered without the upstream. */
  async hits(...lines: string[]): Promise<boolean> {
    const before = this.seen.length;
    await this.get(...lines);
    return this.seen.length === before;
  }

  later(seconds: number): void {
    this.clock.advance(seconds * 1000);
  }

  /** Whether what is said once is there for the next reader, perhaps after so many seconds. */
  async keeps(lines: readonly string[], { status = 200, after = 0, asks = [] as string[] } = {}) {
    this.says = () => ({ status, lines });
    this.target += 'a';
    const [asked, seen] = [await this.get(...asks), this.seen.length];
    this.later(after);
    const again = await this.get();
    return asked.status === status && again.status === status && this.seen.length === seen;
  }

  /** Whether all of these statuses are kept. */
  async all(statuses: readonly number[], lines: readonly string[]): Promise<boolean[]> {
    const kept: boolean[] = [];
    for (const status of statuses) {
      this.says = () => ({ status, lines });
      const target = `/${status}`;
      await this.ask('GET', target);
      const seen = this.seen.length;
      await this.ask('GET', target);
      kept.push(this.seen.length === seen);
    }
    return [...new Set(kept)];
  }

  now(seconds = 0): string {
    return date(this.clock.now() + seconds * 1000);
  }
}

type Row = readonly [id: string, what: string, run: (w: World) => Promise<unknown>, is: unknown];

const STORING: Row[] = [
  ['S1', 'an answer that says how long it is fresh, of any final status', (w) =>
    w.all([200, 201, 299, 302, 400, 404, 418, 499, 500, 503, 599, 999], [MINUTE]), [true]],
  ['S2', 'a `Last-Modified` alone, where the status lets a lifetime be assumed', (w) =>
    w.all([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501], [
      `Last-Modified: ${w.now(-100_000)}`]), [true]],
  ['S3', 'a `Last-Modified` alone with another status', (w) =>
    w.all([201, 302, 403, 500, 599], [`Last-Modified: ${w.now(-100_000)}`]), [false]],
  ['S4', 'nothing about freshness', (w) => w.keeps([ETAG]), false],
  ['S5', '`no-store`', (w) => w.keeps([`${MINUTE}, no-store`]), false],
  ['S6', '`no-store` with `must-understand`, and a status of RFC 9110', (w) =>
    w.keeps([`${MINUTE}, no-store, must-understand`]), true],
  ['S7', '`must-understand` with a status that RFC 9110 does not know', (w) =>
    w.keeps([`${MINUTE}, must-understand`], { status: 299 }), false],
  ['S8', '`private`, also with a list that can’t be read', async (w) => [
    await w.keeps([`${MINUTE}, private`]), await w.keeps([`${MINUTE}, private="x y"`]),
    await w.keeps([`${MINUTE}, private="x`])], [false, false, false]],
  ['S9', '`private` or `no-cache` with field names', async (w) => {
    const kept = await w.keeps([`${MINUTE}, private="x-a", no-cache="x-b"`, 'X-A: 1', 'X-B: 2']);
    return [kept, /^x-[ab]/im.test((await w.get()).head)];
  }, [true, false]],
  ['S10', '`no-cache`', async (w) => [
    await w.keeps([`${MINUTE}, no-cache`, ETAG]), /if-none-match: "a"/i.test(w.heads.at(-1)!),
  ], [false, true]],
  ['S11', '`Authorization` in the request', (w) =>
    w.keeps([MINUTE], { asks: ['Authorization: x'] }), false],
  ['S12', 'the same with `public` or `s-maxage` in the answer', async (w) => [
    await w.keeps([`${MINUTE}, public`], { asks: ['Authorization: x'] }),
    await w.keeps(['Cache-Control: s-maxage=60'], { asks: ['Authorization: x'] })], [true, true]],
  ['S13', 'the same with `must-revalidate`', async (w) => {
    await w.keeps([`${MINUTE}, must-revalidate`], { asks: ['Authorization: x'] });
    return [await w.hits('Authorization: y'), await w.hits(), await w.hits('Cookie: a=b')];
  }, [true, true, false]],
  ['S14', 'a cookie, or another field of `credentials`, in the request', async (w) => [
    await w.keeps([MINUTE], { asks: ['Cookie: a=b'] }),
    await w.keeps([MINUTE], { asks: ['X-Api-Key: x'] })], [false, false]],
  ['S15', '`Set-Cookie`', (w) => w.keeps([MINUTE, 'Set-Cookie: a=b']), false],
  ['S16', 'a `206` that nobody asked for', (w) =>
    w.keeps([MINUTE, 'Content-Range: bytes 0-3/9'], { status: 206 }), false],
  ['S17', 'an event stream', (w) => w.keeps([MINUTE, 'Content-Type: text/event-stream']), false],
  ['S18', '`no-store` in the request', (w) =>
    w.keeps([MINUTE], { asks: ['Cache-Control: no-store'] }), false],
];

const FRESHNESS: Row[] = [
  ['F1', '`s-maxage`, then `max-age`, then `Expires`', async (w) => [
    await w.keeps(['Cache-Control: s-maxage=60, max-age=1'], { after: 30 }),
    await w.keeps([MINUTE, `Date: ${w.now()}`, `Expires: ${w.now(1)}`], { after: 30 }),
    await w.keeps([`Date: ${w.now()}`, `Expires: ${w.now(60)}`], { after: 30 }),
  ], [true, true, true]],
  ['F2', 'directives in any case, with quotes, over several lines', async (w) => [
    await w.keeps(['CACHE-CONTROL: Max-Age="60"'], { after: 30 }),
    await w.keeps(['Cache-Control: x-any=1', 'Cache-Control: , max-age=60 ,'], { after: 30 }),
  ], [true, true]],
  ['F3', 'a directive twice', async (w) => [
    await w.keeps(['Cache-Control: max-age=60, max-age=60']),
    await w.keeps(['Cache-Control: max-age=60, max-age=90'])], [true, false]],
  ['F4', 'a number that is huge', (w) =>
    w.keeps(['Cache-Control: max-age=99999999999999999999'], { after: 1e9 }), true],
  ['F5', 'a number that is none: negative, a fraction, a text, empty', async (w) => {
    const kept: boolean[] = [];
    for (const odd of ['-1', '60.5', 'x', '', '6 0', '"60', '60;a']) {
      kept.push(await w.keeps([`Cache-Control: max-age=${odd}`]));
    }
    return [...new Set(kept)];
  }, [false]],
  ['F6', '`Expires` in any of the three forms of a date', async (w) => {
    const at = new Date(w.clock.now() + 60_000);
    const [day, month, year] = [String(at.getUTCDate()).padStart(2, '0'), 'Jan', '2026'];
    const time = at.toUTCString().slice(17, 25);
    return [
      await w.keeps([`Expires: ${at.toUTCString()}`], { after: 30 }),
      await w.keeps([`Expires: Thursday, ${day}-${month}-26 ${time} GMT`], { after: 1 }),
      await w.keeps([`Expires: Thu ${month}  1 ${time} ${year}`], { after: 1 }),
    ];
  }, [true, true, true]],
  ['F7', '`Expires` that is no date', async (w) => [
    await w.keeps(['Expires: 0']), await w.keeps(['Expires: -1']),
    await w.keeps([`Expires: ${w.now(60).replace('GMT', 'CET')}`])], [false, false, false]],
  ['F8', 'a `Date` that is missing, or in the past', async (w) => [
    await w.keeps([`Expires: ${w.now(60)}`], { after: 59 }),
    await w.keeps([`Date: ${w.now(-50)}`, MINUTE], { after: 20 }),
    await w.keeps([`Date: ${w.now(-50)}`, MINUTE], { after: 5 }),
    (await w.get()).values('age')[0]], [true, false, true, '55']],
  ['F9', '`Age`', async (w) => [
    await w.keeps([MINUTE, 'Age: 50'], { after: 20 }),
    await w.keeps([MINUTE, 'Age: 50, 0'], { after: 20 }),
    await w.keeps([MINUTE, 'Age: x'], { after: 20 })], [false, false, true]],
  ['F10', 'a lifetime that is assumed', async (w) => [
    await w.keeps([`Last-Modified: ${w.now(-1000)}`], { after: 99 }),
    await w.keeps([`Last-Modified: ${w.now(-1000)}`], { after: 101 }),
    await w.keeps([`Last-Modified: ${w.now(-1e8)}`], { after: 86_401 })], [true, false, false]],
  ['F11', '`max-age` or `min-fresh` in the request', async (w) => {
    await w.keeps([MINUTE], { after: 30 });
    return [await w.hits('Cache-Control: max-age=40'), await w.hits('Cache-Control: min-fresh=20'),
      await w.hits('Cache-Control: min-fresh=40')];
  }, [true, true, false]],
  ['F12', '`max-stale` in the request', async (w) => {
    await w.keeps([MINUTE], { after: 61 });
    w.later(61);
    return w.hits('Cache-Control: max-stale=100');
  }, false],
  ['F13', '`no-cache` in the request, or `Pragma` alone', async (w) => {
    await w.keeps([MINUTE]);
    return [await w.hits('Cache-Control: no-cache'), await w.hits('Pragma: no-cache'),
      await w.hits('Pragma: no-cache', 'Cache-Control: max-age=99')];
  }, [false, false, true]],
  ['F14', '`only-if-cached` where nothing is', async (w) =>
    (await w.get('Cache-Control: only-if-cached')).status, 504],
];

const TARGETED: Row[] = [
  ['T1', '`CDN-Cache-Control` beside `Cache-Control`', async (w) => [
    await w.keeps(['CDN-Cache-Control: max-age=60', 'Cache-Control: no-store']),
    await w.keeps(['CDN-Cache-Control: no-store', MINUTE])], [true, false]],
  ['T2', '`Everfresh-Cache-Control` beside both', (w) =>
    w.keeps(['Everfresh-Cache-Control: max-age=60', 'CDN-Cache-Control: no-store']), true],
  ['T3', 'one of them that is no structured field, or empty', async (w) => [
    await w.keeps(['CDN-Cache-Control: max-age=', MINUTE]),
    await w.keeps(['CDN-Cache-Control:', MINUTE])], [true, true]],
  ['T4', 'a member that everfresh does not know', (w) =>
    w.keeps(['CDN-Cache-Control: max-age=60, x-other=?0, y=(1 2)']), true],
  ['T5', 'a duration that is no whole number', (w) =>
    w.keeps(['CDN-Cache-Control: max-age=60.5', MINUTE]), false],
  ['T6', '`Expires` beside one that says nothing of freshness', (w) =>
    w.keeps(['CDN-Cache-Control: x', `Expires: ${w.now(60)}`]), false],
];

const STALE: Row[] = [
  ['L1', '`stale-while-revalidate`', async (w) => {
    await w.keeps([`${MINUTE}, stale-while-revalidate=60`]);
    w.later(70);
    return /stale-while-revalidate/.test((await w.get()).head);
  }, true],
  ['L2', '`stale-if-error`, and the upstream fails or answers with a 5xx', async (w) => {
    await w.keeps([`${MINUTE}, stale-if-error=60`, ETAG]);
    w.later(70);
    w.says = () => ({ status: 503 });
    const told = [await w.get()];
    w.silent = true;
    told.push(await w.get());
    return told.map(({ head }) => /detail="([\w-]+)"/.exec(head)?.[1]);
  }, ['stale-if-error', 'stale-if-error']],
  ['L3', 'an upstream that refuses or resets connections', async (w) => {
    await w.keeps([MINUTE]);
    w.later(70);
    w.silent = true;
    return [(await w.get()).status, (await w.get('Cache-Control: no-cache')).status];
  }, [200, 502]],
  ['L4', 'any of these with `must-revalidate`, `proxy-revalidate`, `s-maxage` or `no-cache`',
    async (w) => {
      const given: number[] = [];
      for (const no of ['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache']) {
        const said = `${MINUTE}, stale-while-revalidate=60, stale-if-error=60, ${no}`;
        w.silent = false;
        w.says = () => ({ lines: [said, ETAG] });
        await w.ask('GET', `/${no}`);
        w.later(70);
        w.silent = true;
        given.push((await w.ask('GET', `/${no}`)).status);
      }
      return [...new Set(given)];
    }, [502]],
  ['L5', 'any of these after a write', async (w) => {
    await w.keeps([`${MINUTE}, stale-while-revalidate=60, stale-if-error=60`]);
    await w.ask('DELETE', w.target);
    w.silent = true;
    return (await w.get()).status;
  }, 502],
];

const VALIDATION: Row[] = [
  ['V1', '`If-None-Match` with the tag, among others, weak, or `*`', async (w) => {
    await w.keeps([MINUTE, ETAG]);
    const told: number[] = [];
    const others = (count: number): string => '"b", '.repeat(count);
    for (const tags of ['"a"', 'W/"a"', '"b", "a"', '*', '"b"', `${others(63)}"a"`,
      `${others(64)}"a"`]) {
      told.push((await w.get(`If-None-Match: ${tags}`)).status);
    }
    return [...told, w.seen.length];
  }, [304, 304, 304, 304, 200, 304, 200, 1]],
  ['V2', '`If-Modified-Since` by any valid date', async (w) => {
    await w.keeps([MINUTE, `Last-Modified: ${w.now(-100)}`]);
    const since = async (text: string) => (await w.get(`If-Modified-Since: ${text}`)).status;
    return [await since(w.now(-100)), await since(w.now()), await since(w.now(-101)),
      await since('x')];
  }, [304, 304, 200, 200]],
  ['V3', 'both', async (w) => {
    await w.keeps([MINUTE, ETAG, `Last-Modified: ${w.now(-100)}`]);
    return (await w.get('If-None-Match: "b"', `If-Modified-Since: ${w.now()}`)).status;
  }, 200],
  ['V4', 'what is kept and no longer fresh', async (w) => {
    await w.keeps([MINUTE, ETAG]);
    w.later(61);
    w.says = () => ({ status: 304, lines: [MINUTE, ETAG, 'X-New: 1'] });
    const again = await w.get();
    const asked = [/if-none-match: "a"/i.test(w.heads.at(-1)!)];
    const renewed = [again.status, again.body, again.values('x-new')[0], await w.hits()];
    for (const before of [59, 60]) {
      const lines = [MINUTE, `Date: ${w.now()}`, `Last-Modified: ${w.now(-before)}`];
      await w.keeps(lines, { after: 61 });
      asked.push(/if-modified-since/i.test(w.heads.at(-1)!));
    }
    return [...asked, ...renewed];
  }, [true, false, true, 200, 'body', '1', true]],
  ['V5', 'a `304` with fields that the kept bytes depend on', async (w) => {
    await w.keeps([MINUTE, ETAG, 'Content-Type: a/b']);
    w.later(61);
    w.says = () => ({
      status: 304, lines: [MINUTE, ETAG, 'Content-Encoding: gzip', 'Content-Type: c/d'],
    });
    await w.get();
    const { head } = await w.get();
    return [/content-encoding/i.test(head), /content-type: c\/d/i.test(head)];
  }, [false, true]],
  ['V6', 'a `304` with another entity tag', async (w) => {
    await w.keeps([MINUTE, ETAG]);
    w.later(61);
    w.says = (_line, head) => (/if-none-match/i.test(head)
      ? { status: 304, lines: ['ETag: "b"'] } : { lines: [MINUTE, 'ETag: "b"'], body: 'b' });
    return (await w.get()).body;
  }, 'b'],
  ['V7', 'a `HEAD` while what is kept is not fresh, with the same validator', async (w) => {
    await w.keeps([MINUTE, ETAG]);
    w.later(61);
    await w.ask('HEAD', w.target);
    return [w.seen.at(-1), await w.hits()];
  }, ['HEAD /aa', true]],
  ['V8', 'a `HEAD` with another validator or length', async (w) => {
    const ended: boolean[] = [];
    for (const other of [{ lines: ['ETag: "b"'] }, { lines: [ETAG], body: 'longer' }]) {
      await w.keeps([MINUTE, ETAG]);
      w.says = () => other;
      await w.ask('HEAD', w.target, 'Cache-Control: no-cache');
      ended.push(!(await w.hits()));
    }
    return ended;
  }, [true, true]],
  ['V9', 'a `HEAD` of what is kept and fresh', async (w) => {
    await w.keeps([MINUTE]);
    const head = await w.ask('HEAD', w.target);
    return [w.seen.length, head.values('content-length')[0]];
  }, [1, '4']],
];

const parts = (w: World) => async (...lines: string[]): Promise<string> => {
  const { status, body } = await w.get(...lines);
  return `${status} ${status === 206 ? body : ''}`.trim();
};

const RANGES: Row[] = [
  ['R1', '`Range` on an answer that is kept whole', async (w) => {
    await w.keeps([MINUTE]);
    const part = parts(w);
    return [await part('Range: bytes=0-1'), await part('Range: bytes=2-'),
      await part('Range: bytes=-1'), await part('Range: bytes=9-'), w.seen.length];
  }, ['206 bo', '206 dy', '206 y', '416', 1]],
  ['R2', 'several parts at once', async (w) => {
    await w.keeps([MINUTE]);
    const several = await w.get('Range: bytes=0-0,3-3');
    return [several.status, /multipart\/byteranges/.test(several.head),
      await parts(w)('Range: bytes=0-1,1-2')];
  }, [206, true, '206 bod']],
  ['R3', 'a `Range` that can’t be read, or asks for more than 16 parts', async (w) => {
    await w.keeps([MINUTE]);
    const part = parts(w);
    return [await part('Range: bytes=x'), await part('Range: lines=0-1'),
      await part(`Range: bytes=${'0-0,'.repeat(17)}`)];
  }, ['200', '200', '200']],
  ['R4', '`If-Range`', async (w) => {
    await w.keeps([MINUTE, ETAG]);
    const part = (tag: string) => parts(w)('Range: bytes=0-1', `If-Range: ${tag}`);
    const byTag = [await part('"a"'), await part('"b"'), await part('W/"a"')];
    const byDate: string[] = [];
    for (const before of [0, 1]) {
      const modified = w.now(-before);
      await w.keeps([MINUTE, `Date: ${w.now()}`, `Last-Modified: ${modified}`]);
      byDate.push(await part(modified), await part(w.now(-99)));
    }
    return [...byTag, ...byDate];
  }, ['206 bo', '200', '200', '200', '200', '206 bo', '200']],
  ['R5', '`Range` on an answer that is not kept', async (w) => {
    w.says = () => ({
      status: 206, body: 'od', lines: [MINUTE, ETAG, 'Content-Range: bytes 1-2/4'],
    });
    const part = parts(w);
    return [await part('Range: bytes=1-2'), await part('Range: bytes=2-2'), w.seen.length,
      await w.hits()];
  }, ['206 od', '206 d', 1, false]],
  ['R6', 'two kept parts of one strong entity tag, without a gap', async (w) => {
    const halves = ['bo', 'dy'];
    w.says = (_line, head) => {
      const at = /range: bytes=2/i.test(head) ? 1 : 0;
      const range = `Content-Range: bytes ${2 * at}-${2 * at + 1}/4`;
      return { status: 206, body: halves[at]!, lines: [MINUTE, ETAG, range] };
    };
    await w.get('Range: bytes=0-1');
    await w.get('Range: bytes=2-3');
    return [await w.hits(), (await w.get()).body];
  }, [true, 'body']],
];

/** Whether what was kept for one value of a field answers another. */
const alike = async (w: World, vary: string, one: string, other: string): Promise<boolean> => {
  w.says = () => ({ lines: [MINUTE, `Vary: ${vary}`] });
  const [name, target] = [vary.split(',')[0]!, `/${encodeURIComponent(vary + one + other)}`];
  await w.ask('GET', target, `${name}: ${one}`);
  const seen = w.seen.length;
  await w.ask('GET', target, `${name}: ${other}`);
  return w.seen.length === seen;
};

const VARY: Row[] = [
  ['Y1', 'several answers of one URL', async (w) => {
    w.says = (_line, head) => ({
      lines: [MINUTE, 'Vary: Foo'], body: /foo: (\w)/i.exec(head)?.[1] ?? 'none',
    });
    for (const value of ['1', '2']) await w.get(`Foo: ${value}`);
    await w.get();
    const again = [await w.get('Foo: 1'), await w.get('Foo: 2'), await w.get()];
    return [...again.map(({ body }) => body), w.seen.length];
  }, ['1', '2', 'none', 3]],
  ['Y2', '`Vary` over several lines, with empty members, in any case', (w) =>
    w.keeps([MINUTE, 'vary: , foo', 'VARY: Bar,'], { asks: ['Foo: 1'] }), false],
  ['Y3', '`Vary: *`, also among names', async (w) => [
    await w.keeps([MINUTE, 'Vary: *']), await w.keeps([MINUTE, 'Vary: Foo, *'])], [false, false]],
  ['Y4', 'white space around the commas of a list of tokens', (w) =>
    alike(w, 'Foo', '1,2', '1 ,  2'), true],
  ['Y5', 'another order, or case, in a field that nobody knows', async (w) => [
    await alike(w, 'Foo', '1, 2', '2, 1'), await alike(w, 'Foo', 'x', 'X')], [false, false]],
  ['Y6', '`Accept-Encoding`, `Accept` and `Accept-Language` that mean the same', async (w) => [
    await alike(w, 'Accept-Encoding', 'gzip, br', 'BR;q=1.0,gzip'),
    await alike(w, 'Accept', 'a/b;q=0.5, c/d', 'C/D,a/b; q=0.5'),
    await alike(w, 'Accept-Language', 'de, en', 'en,de'),
    await alike(w, 'Accept-Language', 'de, en;q=0.5', 'en, de;q=0.5'),
  ], [true, true, true, false]],
  ['Y7', 'a coded body without `Vary`', async (w) => {
    w.says = () => ({ lines: [MINUTE, 'Content-Encoding: gzip'] });
    await w.get('Accept-Encoding: gzip');
    return [await w.hits('Accept-Encoding: gzip'), await w.hits()];
  }, [true, false]],
];

/** Whether what is kept is ended by a request, to its own URL or to another one. */
const ended = async (
  w: World, method: string, said: Said = {}, elsewhere?: (target: string) => string,
): Promise<boolean> => {
  await w.keeps([MINUTE]);
  const lines = elsewhere === undefined ? [] : [elsewhere(w.target)];
  w.says = (line) => (line.startsWith('GET') ? { lines: [MINUTE] } : { ...said, lines });
  await w.ask(method, elsewhere === undefined ? w.target : '/b/c');
  return !(await w.hits());
};

const INVALIDATION: Row[] = [
  ['I1', 'any method that is not safe, also an unknown one', async (w) => {
    const all: boolean[] = [];
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH', 'PURGE']) {
      all.push(await ended(w, method));
    }
    await w.keeps([MINUTE]);
    await w.get();
    const seen = w.seen.length;
    await w.ask('PUT', w.target);
    await w.get();
    return [...new Set(all), w.seen.length - seen];
  }, [true, 2]],
  ['I2', 'a safe method', async (w) => [
    await ended(w, 'OPTIONS'), await ended(w, 'QUERY')], [false, false]],
  ['I3', 'a write that the upstream refuses', async (w) => [
    await ended(w, 'POST', { status: 400 }), await ended(w, 'PUT', { status: 409 }),
  ], [false, false]],
  ['I4', 'a write that fails with a 5xx, or whose answer never comes', async (w) => {
    const failed = [await ended(w, 'POST', { status: 500 })];
    failed.push(await ended(w, 'PUT', { status: 503 }));
    await w.keeps([MINUTE]);
    w.silent = true;
    await w.ask('POST', w.target);
    w.silent = false;
    return [...failed, !(await w.hits())];
  }, [true, true, true]],
  ['I5', '`Location` and `Content-Location` of a write’s answer', async (w) => [
    await ended(w, 'POST', { status: 201 }, (target) => `Location: ${target}`),
    await ended(w, 'POST', {}, (target) => `Content-Location: ${target}`)], [true, true]],
  ['I6', 'the same of another origin', (w) =>
    ended(w, 'POST', {}, (target) => `Location: http://other.test${target}`), false],
];

const NEWER: Row[] = [
  ['N1', '`QUERY`', async (w) => {
    const ask = (body: string) => w.ask('QUERY', '/q', `Content-Length: 3\r\n\r\n${body}`);
    w.says = () => ({ lines: [MINUTE] });
    await ask('one');
    await ask('one');
    await ask('two');
    for (const name of ['Type', 'Encoding', 'Language']) {
      const typed = `Content-${name}: x\r\nContent-Length: 3\r\n\r\none`;
      for (let turn = 0; turn < 2; turn += 1) await w.ask('QUERY', '/q', typed);
    }
    return w.seen.length;
  }, 5],
  ['N2', '`Cache-Groups`, and `Cache-Group-Invalidation` of a write', async (w) => {
    await w.keeps([MINUTE, 'Cache-Groups: "g"']);
    w.says = () => ({ lines: ['Cache-Group-Invalidation: "g"', MINUTE] });
    await w.ask('POST', '/b/c');
    return w.hits();
  }, false],
  ['N3', '`No-Vary-Search`', async (w) => {
    w.says = () => ({ lines: [MINUTE, 'No-Vary-Search: key-order, params=("utm")'] });
    await w.ask('GET', '/s?a=1&b=2');
    await w.ask('GET', '/s?b=2&utm=x&a=1');
    await w.ask('GET', '/s?a=2&b=2');
    return w.seen.length;
  }, 2],
  ['N4', '`Cache-Status`', async (w) => {
    await w.keeps([MINUTE, 'Cache-Status: other; hit']);
    return (await w.get()).values('cache-status');
  }, ['other; hit', 'everfresh; hit; ttl=60']],
  ['N5', 'a failure of everfresh’s own', async (w) => {
    w.silent = true;
    const { status, head, body } = await w.get();
    return [status, /application\/problem\+json/.test(head), /"because":"(.*?)"/.exec(body)?.[1]];
  }, [502, true, 'upstream-reset']],
];

const ROWS = [
  ...STORING, ...FRESHNESS, ...TARGETED, ...STALE, ...VALIDATION, ...RANGES, ...VARY,
  ...INVALIDATION, ...NEWER,
];

for (const [id, what, run, is] of ROWS) {
  t.test(`${id} ${what}`, async (t) => {
    const world = new World(t);
    await world.open();
    t.same(await run(world), is);
  });
}

t.test('each row of the document is one of these, word by word', async (t) => {
  const text = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^\| ([A-Z]\d+) \| (.+?) \| /gm)]
    .map(([, id, what]) => `${id} ${what}`);
  t.same(documented.sort(), ROWS.map(([id, what]) => `${id} ${what}`).sort());
});
