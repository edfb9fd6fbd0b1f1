// Tokens verified with keys from a URL: fetched once, again when a key is new, and not waited for
// when nobody gives them. Keys from a file are told in test/attack/readers-tokens.test.ts.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { Identity } from '../../src/core/rules/config.ts';
import type { Tokens } from '../../src/flow/ports.ts';
import { openTokens } from '../../src/io/tokens.ts';
import { rulesOf } from '../asking.ts';
import { until } from '../play.ts';
import { type Issuer, issuer, ISSUER } from '../tokens.ts';
import { VirtualClock } from '../virtual-clock.ts';

interface Place {
  readonly url: string;
  asked: number;
  answer: { status: number; body: string };
}

async function place(t: Test, set: unknown): Promise<Place> {
  const held: Place = {
    url: '', asked: 0, answer: { status: 200, body: JSON.stringify(set) },
  };
  const server = createServer((_request, response) => {
    held.asked += 1;
    response.writeHead(held.answer.status, { 'content-type': 'application/json' });
    response.end(held.answer.body);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  return Object.assign(held, { url });
}

interface Opened {
  readonly clock: VirtualClock;
  readonly held: Issuer;
  readonly at: Place;
  readonly tokens: Tokens;
  readonly identity: Identity;
  readonly troubles: string[];
  /** What is known of a token once it has been verified. */
  readonly known: (token: string) => Promise<string>;
}

async function opened(t: Test, newKeysAfterMs = 30_000): Promise<Opened> {
  const clock = new VirtualClock(Date.now());
  const held = await issuer(t, { now: () => clock.now() });
  const at = await place(t, held.set);
  const { config } = rulesOf(`
identities:
  user: { from: { jwt: { jwks: "${at.url}", issuer: "${ISSUER}", audience: shop } } }
routes: { /a: { GET: { per: user } } }`);
  const [identity] = config.identities as [Identity];
  const troubles: string[] = [];
  const tokens = openTokens({
    clock,
    newKeysAfterMs,
    ear: {
      trouble: (what, detail) => void troubles.push(`${what} ${JSON.stringify(detail)}`),
    },
  });
  return {
    clock, held, at, tokens, identity, troubles,
    async known(token) {
      if (tokens.look(identity, token) === 'unknown') await tokens.verify(identity, token);
      const found = tokens.look(identity, token);
      if (found === 'unknown') return found;
      return 'bad' in found ? 'bad' : String(found.values['sub']);
    },
  };
}

t.test('keys are fetched once, and a token verified once', async (t) => {
  const o = await opened(t);
  const [ann, bob] = [await o.held.sign({ sub: 'ann' }), await o.held.sign({ sub: 'bob' })];
  t.same(await Promise.all([ann, ann, bob].map(o.known)), ['ann', 'ann', 'bob']);
  t.equal(o.at.asked, 1);
  t.equal(o.tokens.look(o.identity, ann) === 'unknown', false);
  o.clock.advance(60_001);
  t.equal(o.tokens.look(o.identity, ann), 'unknown', 'for as long as nobody has to recheck');
});

t.test('no token is told from another by less than all of it', async (t) => {
  const o = await opened(t);
  const ann = await o.held.sign({ sub: 'ann' });
  t.equal(await o.known(ann), 'ann');
  t.equal(o.tokens.look(o.identity, `${ann}x`), 'unknown');
  t.equal(await o.known(ann.slice(0, -1)), 'bad');
  t.equal(await o.known('x'.repeat(9000)), 'bad');
  t.equal(await o.known(''), 'bad');
});

t.test('a secret that is shared belongs in no URL', async (t) => {
  const o = await opened(t);
  const k = Buffer.from('secret').toString('base64url');
  o.at.answer = {
    status: 200, body: JSON.stringify({ keys: [{ kty: 'oct', k, kid: 'one', alg: 'HS256' }] }),
  };
  const { SignJWT } = await import('jose');
  const token = await new SignJWT({ sub: 'ann', iss: ISSUER, aud: 'shop', exp: 4e9 })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(Buffer.from('secret'));
  t.equal(await o.known(token), 'bad');
  t.same(o.troubles, []);
});

t.test('keys that nobody gives are told of, not waited for, and asked for again', async (t) => {
  const o = await opened(t);
  const ann = await o.held.sign({ sub: 'ann' });
  const { answer } = o.at;
  for (const broken of [{ status: 500, body: '' }, { status: 200, body: '{"keys":7}' }]) {
    o.at.answer = broken;
    const { asked } = o.at;
    t.equal(await o.known(ann), 'bad');
    t.equal(await o.known(await o.held.sign({ sub: 'bob' })), 'bad');
    t.equal(o.at.asked, asked + 1, 'once');
    o.clock.advance(5001);
  }
  t.equal(o.troubles.length, 2);
  for (const trouble of o.troubles) t.match(trouble, /^tokens \{"jwks":"http/);
  o.at.answer = answer;
  t.equal(await o.known(ann), 'ann');
});

t.test('keys are brought before they are used, so that it is told where they lack', async (t) => {
  const o = await opened(t);
  o.tokens.prepare([o.identity]);
  await until(() => o.at.asked === 1, 'the keys to be asked for');
  t.equal(await o.known(await o.held.sign({ sub: 'ann' })), 'ann');
  t.equal(o.at.asked, 1);
  const { from } = o.identity;
  const nowhere = { ...o.identity, from: { ...from, jwks: '/none/jwks.json' } } as Identity;
  o.tokens.prepare([nowhere]);
  await until(() => o.troubles.length === 1, 'it to be told');
  t.equal(o.troubles[0], 'tokens {"jwks":"/none/jwks.json","because":"ENOENT"}');
});

t.test('a token of the next key is known once its keys are', async (t) => {
  const o = await opened(t);
  t.equal(await o.known(await o.held.sign({ sub: 'ann' })), 'ann');
  const next = await issuer(t, { now: () => o.clock.now(), kid: 'two' });
  const bob = await next.sign({ sub: 'bob' });
  t.equal(await o.known(bob), 'bad');
  t.equal(o.at.asked, 1, 'strangers’ keys are not looked for at each token');

  const again = await opened(t, 0);
  t.equal(await again.known(await again.held.sign({ sub: 'ann' })), 'ann');
  const other = await issuer(t, { now: () => again.clock.now(), kid: 'two' });
  const keys = [...again.held.set.keys, ...other.set.keys];
  again.at.answer = { status: 200, body: JSON.stringify({ keys }) };
  t.equal(await again.known(await other.sign({ sub: 'bob' })), 'bob');
  t.equal(again.at.asked, 2);
});
