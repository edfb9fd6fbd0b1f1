// Section F: the store that others can reach, and the door of the operator.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import t from 'tap';
import type { Key } from '../../src/core/entry/entry.ts';
import { routeTag } from '../../src/core/plan/tags.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import { everfresh, upstream } from '../cli/process.ts';
import { entry } from '../entries.ts';
import { until } from '../redis.ts';
import { client, entriesUp, look, open, ready, server, sure } from '../redis-store.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

t.test('F67 line ends, NUL and braces in ids: bytes like others', async (t) => {
  const { url } = await server(t);
  const [{ store }, { store: other }] = [open(t, { url }), open(t, { url })];
  await ready(store, other);
  const tags = ['a\r\nSET x 1\r\n', 'b\0c', '{slot}', '"]}', "'); redis.call('FLUSHALL') --", '$1'];
  const { seq } = await sure(store.control.touch({ tags, then: 'done' }));
  for (const tag of tags) t.equal((await look(other, tag)).newest, seq, JSON.stringify(tag));
  t.equal((await look(other, 'a')).newest < seq, true, 'and reach nothing else');
  const tag = routeTag('/posts/:id', ['id'], new Map([['id', '{a}\r\n&id=2']]));
  t.notMatch(tag, /[{}\r\n&]/, 'no client chooses a slot, or another tag');
});

t.test('F68 an entry that somebody else wrote: a miss', async (t) => {
  const { url } = await server(t);
  const { store } = open(t, { url });
  await ready(store);
  await entriesUp(store);
  const raw = client(t, url);
  const [mine, theirs] = ['m'.repeat(43) as Key, 't'.repeat(43) as Key];
  const name = (key: Key): string => `test:1:e:${key}`;
  await store.entries.put(entry({ key: mine }));
  const bytes = (await raw.getBuffer(name(mine)))!;
  const flipped = Buffer.from(bytes.map((byte, i) => (i === 1 ? byte ^ 1 : byte)));
  for (const [what, value] of [
    ['another key’s', bytes], ['cut short', bytes.subarray(0, -3)], ['empty', Buffer.alloc(0)],
    ['longer', Buffer.concat([bytes, Buffer.from('x')])], ['changed', flipped], ['text', 'EVF1 x'],
  ] as const) {
    await raw.set(name(theirs), value);
    t.equal(await store.entries.get(theirs), undefined, what);
  }
  t.ok(await store.entries.get(mine));
});

t.test('F69 a user of the store: no more rights than are written down', async (t) => {
  const line = /^ACL (SETUSER everfresh on .*)$/m.exec(read('../../docs/redis.md'))![1]!;
  const words = line.replace('PASSWORD', 'p4ss-word').split(' ');
  t.ok(words.includes('-@all'));
  t.notMatch(line, /\+@|allkeys|allcommands|allchannels|~\*|&\*/, 'one by one');
  const { url, port } = await server(t);
  await client(t, url).call('ACL', ...words);
  const { store, troubles } = open(t, {
    url: `redis://everfresh:p4ss-word@127.0.0.1:${port}`, prefix: 'everfresh',
  });
  await ready(store);
  t.same(troubles, []);
});

t.test('F70 a store with a certificate nobody believes: refused, nothing told', async (t) => {
  const pem = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' });
  let heard = '';
  const impostor = createServer({ key: pem.private, cert: pem.cert }, (socket) => {
    socket.on('data', (bytes: Buffer) => { heard += bytes.toString('latin1'); });
    socket.on('error', () => socket.destroy());
  });
  impostor.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => void impostor.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void impostor.close());
  const { port } = impostor.address() as AddressInfo;
  const { store, troubles, messages } = open(t, {
    url: `rediss://user:p4ss-word@localhost:${port}`,
  });
  await until(() => troubles.length > 0);
  t.match(store.state(), { state: 'down' });
  t.equal(heard, '');
  t.notMatch(messages.join(' '), /p4ss-word/);
});

t.test('F71 orders to the operator’s door from elsewhere: refused', async (t) => {
  const origin = await upstream(t);
  const running = everfresh(t, [
    origin, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0',
  ], { EVERFRESH_ADMIN_TOKEN: 'x'.repeat(40) });
  const { listen, admin } = await running.line('listening') as { listen: string; admin: string };
  const order = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`http://${admin}/purge`, {
      method: 'POST', headers, body: '{"targets":["/*"]}',
    })).status;
  const token = { authorization: `Bearer ${'x'.repeat(40)}` };
  t.equal(await order({ 'content-type': 'application/json' }), 401);
  const wrong = { authorization: `Bearer ${'x'.repeat(39)}y`, 'content-type': 'application/json' };
  t.equal(await order(wrong), 401);
  t.equal(await order({ ...token, 'content-type': 'text/plain' }), 415, 'as a form would send it');
  const outside = await fetch(`http://${listen}/purge`, { method: 'POST' });
  t.match(outside.headers.get('cache-status'), /^everfresh; fwd=method/, 'a path as any other');
  const preflight = await fetch(`http://${admin}/purge`, {
    method: 'OPTIONS', headers: { origin: 'http://evil.test' },
  });
  t.equal(preflight.headers.get('access-control-allow-origin'), null);
});

t.test('F72 a proxy that nobody named: not believed', async (t) => {
  const config = (value: string): string =>
    `upstream: http://127.0.0.1:1\ntrust_proxy: ${value}\nroutes: {}\n`;
  const parsed = (value: string): string => parseRules(config(value), { file: 'f', env: {} }).kind;
  for (const value of ['true', '1', '"*"', '[all]', '["0.0.0.0/33"]', '["example.com"]']) {
    t.equal(parsed(value), 'wrong', value);
  }
  t.equal(parsed('[10.0.0.0/8]'), 'ok');
});

t.test('F73 a library with a known hole: not in the lockfile', async (t) => {
  const { packages } = JSON.parse(read('../../package-lock.json')) as {
    packages: Record<string, { version?: string; dev?: boolean }>;
  };
  const numbers = (version: string): number[] => version.split('.').map(Number);
  const below = (version: string, least: string): boolean => {
    const [one, other] = [numbers(version), numbers(least)];
    const at = one.findIndex((part, i) => part !== other[i]);
    return at >= 0 && one[at]! < other[at]!;
  };
  const floors: Record<string, string> = {
    'fastify': '5.12.1', 'undici': '7.18.2', 'fast-uri': '3.1.1',
  };
  for (const [name, least] of Object.entries(floors)) {
    const there = Object.entries(packages)
      .filter(([path, { dev }]) => path.endsWith(`node_modules/${name}`) && dev !== true);
    t.ok(there.length > 0, name);
    for (const [path, { version }] of there) t.notOk(below(version!, least), `${path} ${version}`);
  }
});
