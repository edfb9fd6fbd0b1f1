// Credentials of every kind are planted where a gateway sees them, and looked for afterwards in all
// that it leaves behind: in Redis, in the log at its finest level, on the admin listener, in its
// own answers, and on its standard error. By itself, and in the forms in which texts travel.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { everfresh, folder } from '../cli/process.ts';
import { ask, json, type Reply, until } from '../play.ts';
import { startRedis } from '../redis.ts';
import { issuer, ISSUER } from '../tokens.ts';

const PLANTED = {
  session: 'plantedSession7f3a', other: 'plantedCookie91bc', token: 'plantedBearer55de',
  key: 'plantedApiKey2204', password: 'plantedPassword88', name: 'plantedPerson41',
  service: 'plantedService6677', shared: 'plantedShared3141',
  secret: 'plantedSecret-0123456789abcdef', admin: 'plantedAdmin-0123456789',
  sealing: 'plantedSealing-0123456789abcdefg',
};

/** What somebody might find of it. */
function forms(plant: string): string[] {
  const bytes = Buffer.from(plant);
  return [
    plant, plant.toUpperCase(), encodeURIComponent(plant), bytes.toString('hex'),
    ...[0, 1, 2].map((cut) =>
      bytes.subarray(cut).toString('base64').replace(/=+$/, '').slice(0, -2)),
  ];
}

const rules = (jwks: string): string => `
log: { level: trace, sample: 1 }
limits: { quarantine: 1s }
identities:
  session: { from: { cookie: sid }, hold: store, recheck: 200ms, forget_on: ["POST /logout"] }
  token:   { from: { header: authorization }, recheck: 200ms }
  named:   { from: { header: x-user-id, trusted_from: [127.0.0.0/8] }, recheck: 200ms }
  person:
    from: { jwt: { claims: [sub], jwks: "${jwks}", issuer: "${ISSUER}", audience: shop } }
    replay_as: service
    service: { authorization: "Bearer ${PLANTED.service}", x-on-behalf-of: "{sub}" }
routes:
  /session: { GET: { ttl: 1h, per: session } }
  /token:   { GET: { ttl: 1h, per: token } }
  /named:   { GET: { ttl: 1h, per: named } }
  /person:  { GET: { ttl: 1h, per: person } }
  /all:     { GET: { ttl: 1h, per: everyone, service: { x-api-key: ${PLANTED.shared} } } }
  /plain:   { GET: { ttl: 1h } }
  /write:   { POST: { refresh: [/session, /token, /named, /person, /all], wait: true } }
`;

/** Everything that stands in a Redis, names and values. */
async function allOf(url: string): Promise<string> {
  const redis = new Redis(url);
  const parts: string[] = [];
  for (const name of await redis.keys('*')) {
    const type = await redis.type(name);
    const held = type === 'string' ? (await redis.getBuffer(name))!.toString('latin1')
      : type === 'hash' ? JSON.stringify(await redis.hgetall(name))
        : JSON.stringify(await redis.dump(name));
    parts.push(`${name} ${held}`);
  }
  redis.disconnect();
  return parts.join('\n');
}

async function api(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    const { headers, method, url } = request;
    request.resume();
    if (url === '/broken') return void response.socket!.destroy();
    if (headers.authorization === 'Bearer refused') return json(response, {}, { status: 401 });
    if (url === '/all' && headers.cookie !== undefined) return json(response, { other: true });
    return json(response, { method, url });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const NAME = 'no credential is left in Redis, the log, the admin listener, an error, or a metric';

t.test(NAME, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const held = await issuer(t, { now: () => Date.now() });
  const jwt = await held.sign({ sub: PLANTED.name });
  const file = join(await folder(t), 'routes.yaml');
  const yaml = `upstream: "${await api(t)}"\nstore: "${redis.url}"\n${rules(held.jwks)}`;
  await writeFile(file, yaml);
  const running = everfresh(t,
    ['serve', '--config', file, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
    { EVERFRESH_SECRET: PLANTED.secret, EVERFRESH_ADMIN_TOKEN: PLANTED.admin,
      EVERFRESH_CREDENTIALS_KEY: Buffer.from(PLANTED.sealing).toString('base64') });
  const { listen, admin } = await running.line('listening') as { listen: string; admin: string };
  await running.line('store ready');

  const basic = Buffer.from(`ann:${PLANTED.password}`).toString('base64');
  const who: Record<string, string>[] = [
    { cookie: `sid=${PLANTED.session}; theme=${PLANTED.other}` }, { cookie: `x=${PLANTED.other}` },
    { authorization: `Bearer ${PLANTED.token}` }, { authorization: `Basic ${basic}` },
    { authorization: `Bearer ${jwt}` }, { authorization: `Bearer ${jwt}x` },
    { 'x-user-id': PLANTED.name }, { 'x-api-key': PLANTED.key }, {},
    { cookie: `sid=${PLANTED.session}`, 'x-api-key': PLANTED.key },
    { authorization: `DPoP ${PLANTED.token}`, dpop: PLANTED.token },
    { cookie: `sid=${PLANTED.session}; sid=${PLANTED.other}` },
  ];
  const answers: Reply[] = [];
  const say = async (method: string, path: string, headers: Record<string, string>) => {
    const told = await ask(`http://${listen}`, method, path, { headers });
    answers.push(told);
    return told;
  };
  const paths = ['/session', '/token', '/named', '/person', '/all', '/plain', '/elsewhere'];
  for (const round of [1, 2, 3]) {
    for (const path of paths) for (const headers of who) await say('GET', path, headers);
    for (const headers of who) await say(round === 3 ? 'HEAD' : 'POST', '/write', headers);
  }
  for (const headers of who) {
    await say('GET', '/broken', headers);
    await say('POST', '/logout', headers);
    await say('GET', '/session%', headers);
    await say('GET', '/session', { ...headers, connection: 'cookie, authorization' });
    await say('GET', '/session', { ...headers, 'cache-control': 'only-if-cached' });
    await say('GET', '/session', { ...headers, host: 'a b' });
  }
  await say('GET', '/token', { authorization: 'Bearer refused' });
  // A file that is wrong, whose problems are told.
  await writeFile(file, yaml.replace('x-on-behalf-of: "{sub}"', 'x: "{none}"'));
  await until(() => running.lines.some(({ msg }) => msg === 'configuration refused'), 'a refusal');

  const headers = { authorization: `Bearer ${PLANTED.admin}` };
  const view = async (path: string): Promise<string> =>
    (await ask(`http://${admin}`, 'GET', path, { headers })).body;
  const asked = who.map((one) => Object.entries(one)
    .map(([name, value]) => `&header=${encodeURIComponent(`${name}: ${value}`)}`).join(''));
  const explained = await Promise.all(asked.flatMap((query) => paths.map((path) =>
    view(`/explain?method=GET&url=${path}${query}`))));
  const written = await Promise.all(asked.map((query) =>
    view(`/explain?method=POST&url=/write${query}`)));
  const seen = {
    redis: await allOf(redis.url),
    log: JSON.stringify(running.lines),
    stderr: running.stderr(),
    metrics: await view('/metrics'),
    config: await view('/config'),
    readyz: await view('/readyz'),
    explain: [...explained, ...written].join('\n'),
    answers: JSON.stringify(answers),
    refused: (await ask(`http://${admin}`, 'GET', '/metrics', {
      headers: { authorization: `Bearer ${PLANTED.token}` },
    })).body,
  };
  t.match(seen.log, /"level":10|"msg":"request"/);
  t.match(seen.redis, /who:session:/, 'readers stand in Redis');
  t.match(seen.explain, /who:session:…/, 'and are explained as an identity');
  t.match(seen.readyz, /"quarantined":\["\/all"\]/);
  t.ok(seen.redis.length > 5000 && seen.log.length > 20_000 && seen.explain.length > 10_000);
  const plants = [...Object.values(PLANTED), basic, jwt, jwt.split('.')[2]!];
  for (const [where, text] of Object.entries(seen)) {
    const found = plants.filter((plant) => forms(plant).some((form) => text.includes(form)));
    t.same(found, [], where);
  }
});
