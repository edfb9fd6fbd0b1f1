// The configuration's text to a Config, or to all of its problems at once, each with its place.
import t from 'tap';
import type { Config } from '../../src/core/rules/config.ts';
import { parseRules } from '../../src/core/rules/parse.ts';
import type { ParseOptions } from '../../src/core/rules/parse.ts';
import { printProblem } from '../../src/core/rules/problem.ts';

type Given = Partial<ParseOptions>;

function problems(text: string, given: Given = {}): string[] {
  const parsed = parseRules(text, { file: 'routes.yaml', ...given });
  return parsed.kind === 'wrong' ? parsed.problems.map(printProblem) : [];
}

function config(text: string, given: Given = {}): Config {
  const parsed = parseRules(text, { file: 'routes.yaml', ...given });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  return parsed.config;
}

const UP = 'upstream: http://localhost:3000\n';

t.test('an upstream alone is a whole configuration, with every default', async (t) => {
  const { limits, routes, ...rest } = config(UP);
  t.same(rest, {
    upstream: {
      url: 'http://localhost:3000', connections: 128, connectTimeoutMs: 2000,
      headersTimeoutMs: 30_000, bodyTimeoutMs: 30_000,
    },
    listen: { host: '127.0.0.1', port: 8080 },
    admin: { host: '127.0.0.1', port: 8081 },
    store: { kind: 'memory' },
    memoryBytes: 268_435_456,
    trustProxy: [],
    hosts: [],
    credentials: {
      headers: [
        'authorization', 'x-api-key', 'api-key', 'apikey', 'x-apikey', 'x-auth-token',
        'x-access-token', 'x-session-token', 'x-session-id', 'x-id-token', 'x-token', 'token',
        'private-token', 'x-amz-security-token', 'x-vault-token', 'x-shopify-access-token',
        'x-gitlab-token', 'x-csrf-token', 'x-user-id', 'x-user', 'remote-user', 'x-remote-user',
        'x-forwarded-user', 'x-forwarded-email',
        'x-authenticated-user', 'x-auth-request-user', 'x-auth-request-email', 'x-webauth-user',
        'x-amzn-oidc-identity', 'x-amzn-oidc-data', 'x-goog-authenticated-user-email',
        'x-goog-authenticated-user-id', 'x-ms-client-principal', 'x-ms-client-principal-name',
        'x-ms-client-principal-id', 'tailscale-user-login',
        'dpop', 'signature', 'signature-input', 'client-cert', 'client-cert-chain',
        'x-client-cert', 'x-ssl-client-cert', 'ssl-client-cert', 'x-forwarded-client-cert',
        'x-forwarded-tls-client-cert', 'x-amzn-mtls-clientcert',
      ],
      cookies: 'all',
      identityCookies: [],
    },
    mode: 'on',
    clientDirectives: 'honour',
    workers: 1,
    log: { level: 'info', sample: 0.01 },
    fastPath: true,
    leaseMs: 2000,
    writeDeadlineMs: 67_000,
    conventions: 'rest',
    identities: [],
    implicit: true,
  });
  t.same(limits, {
    urlBytes: 8192, headerBytes: 16_384, headerCount: 100, queryParameters: 500,
    requestTimeoutMs: 60_000, headersTimeoutMs: 15_000, keepAliveTimeoutMs: 65_000,
    sendTimeoutMs: 30_000, connections: 10_000, streams: 100,
    queryBodyBytes: 65_536, writeBodyBytes: 1_048_576, responseBodyBytes: 1_048_576,
    writesPerClient: 250, writes: 1000, newVariantsPerMinute: 6000, tagsPerEntry: 64,
    touched: 100_000, remembered: 10_000, entryLifeMs: 86_400_000, refreshConcurrency: 32,
    storeBudgetMs: 500, drainMs: 10_000, quarantineMs: 60_000,
  });
  t.match(routes, [{ pattern: '/*', params: ['*'] }]);
  const read = routes[0]!.reads.get('GET')!;
  t.equal(read.ttlMs, undefined);
  t.same([...routes[0]!.reads.keys(), ...routes[0]!.writes.keys()], ['GET', 'QUERY']);
});

t.test('every top-level option is taken over', async (t) => {
  const all = config(`
upstream: { url: "https://a.example/", connections: 5, connect_timeout: 1s, headers_timeout: 2s,
  body_timeout: 3s, ca: ca.pem, cert: c.pem, key: k.pem }
listen: "[::1]:9000"
admin: off
store: { url: "redis://u:p@r:6379/2", name: main, prefix: shop, when_down: refuse }
memory: 1gb
trust_proxy: [10.0.0.0/8, 192.0.2.1, "fd00::/8", "::1"]
hosts: [Shop.Example, "shop.example:8443"]
credentials: { headers: [X-Api-Key], cookies: [sid] }
mode: observe
client_directives: ignore
workers: 1
tls: { cert: s.pem, key: s.key }
log: { level: debug, sample: 0.5 }
fast_path: off
lease: 3s
write_deadline: 20s
limits: { url: 1kb, request_timeout: 0, entry_life: 2d }
secret: 0123456789abcdef0123456789abcdef
conventions: off
routes: {}
`);
  t.match(all, {
    upstream: {
      url: 'https://a.example', connections: 5, connectTimeoutMs: 1000, headersTimeoutMs: 2000,
      bodyTimeoutMs: 3000, ca: 'ca.pem', cert: 'c.pem', key: 'k.pem',
    },
    listen: { host: '::1', port: 9000 },
    admin: 'off',
    store: {
      kind: 'redis', url: 'redis://u:p@r:6379/2', name: 'main', prefix: 'shop', whenDown: 'refuse',
    },
    memoryBytes: 1_073_741_824,
    credentials: { headers: ['authorization', 'x-api-key'], cookies: ['sid'] },
    mode: 'observe', clientDirectives: 'ignore', tls: { cert: 's.pem', key: 's.key' },
    log: { level: 'debug', sample: 0.5 }, fastPath: false, leaseMs: 3000, writeDeadlineMs: 20_000,
    limits: { urlBytes: 1024, requestTimeoutMs: 0, entryLifeMs: 172_800_000 },
    secret: '0123456789abcdef0123456789abcdef', conventions: 'off', implicit: false, routes: [],
  });
  t.same(all.trustProxy, ['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8', '::1/128']);
  t.same(all.hosts, ['shop.example', 'shop.example:8443']);
});

t.test('every option of a read and of a write is taken over', async (t) => {
  const { routes, writeDeadlineMs, limits } = config(`${UP}
routes:
  /posts/:id:
    upstream: { url: "unix:/run/posts.sock", headers_timeout: 1m }
    GET:
      ttl: 2d
      negative_ttl: 1s
      override: [private, set-cookie]
      stale_while_revalidate: 1m
      stale_if_error: 1d
      query: [page, page, sort]
      headers: [Accept-Language]
      order: free
      client_cache: public, max-age=60
      max_variants: 5
      per: everyone
      tags: [posts, "a:{response.body.author.id}:{params.id}:{query.page}"]
      warm: /posts/1?page=2
      keep_fresh: { top: 3 }
      max_body: 1kb
    PUT: { refresh: /posts/:id, purge: [tag:posts], wait: true, wait_timeout: 1s, settle: 2s }
    PURGE:
`);
  const { reads, writes, params, upstream } = routes[0]!;
  t.match(reads.get('GET'), {
    pattern: '/posts/:id', ttlMs: 172_800_000, negativeTtlMs: 1000,
    staleWhileRevalidateMs: 60_000, staleIfErrorMs: 86_400_000, query: ['page', 'sort'],
    headers: ['accept-language'], order: 'free', clientCache: 'public, max-age=60',
    maxVariants: 5, per: 'everyone', warm: ['/posts/1?page=2'],
    keepFresh: { recentMs: 600_000, top: 3, concurrency: 8 }, maxBodyBytes: 1024,
  });
  t.same([...reads.get('GET')!.override], ['private', 'set-cookie']);
  t.same(params, ['id']);
  t.match(writes.get('PUT'), {
    method: 'PUT', wait: true, waitTimeoutMs: 1000, settleMs: 2000,
    refresh: [{ kind: 'route', pattern: '/posts/:id' }], purge: [{ kind: 'tag' }],
  });
  t.match(writes.get('PURGE'), { refresh: [], purge: [], wait: false, settleMs: 0 });
  t.match(upstream, {
    url: 'unix:/run/posts.sock', headersTimeoutMs: 60_000, bodyTimeoutMs: 30_000,
  });
  t.equal(writeDeadlineMs, 97_000, 'the longest upstream and a margin');
  t.equal(limits.entryLifeMs, 259_200_000, 'the longest life of any answer');
});

t.test('defaults stand behind what a route says, each for its kind of method', async (t) => {
  const { routes } = config(`${UP}
defaults: { ttl: 1h, wait: true, keep_fresh: { top: 7 } }
routes:
  /a: { GET: { ttl: 5m }, POST: { wait: false } }
  /b: { GET: , POST: }
`);
  const [a, b] = routes;
  t.match(a!.reads.get('GET'), { ttlMs: 300_000, keepFresh: { top: 7 } });
  t.match(b!.reads.get('GET'), { ttlMs: 3_600_000 });
  t.match(a!.writes.get('POST'), { wait: false });
  t.match(b!.writes.get('POST'), { wait: true });
  const implicit = config(`${UP}defaults: { client_cache: no-cache }`).routes[0]!;
  t.match(implicit.reads.get('GET'), { clientCache: 'no-cache' });
});

t.test('without a memory tier there are no bytes of it', async (t) => {
  t.equal(config(`${UP}memory: off\nstore: redis://a`).memoryBytes, 0);
  t.equal(config(UP, { overrides: { memory: 'off', store: 'redis://a' } }).memoryBytes, 0);
});

t.test('the hash follows what decides about an entry, and nothing else', async (t) => {
  const hash = (options: string, path = '/p/:id'): string =>
    config(`${UP}routes: { ${path}: { GET: { ${options} } } }`).routes[0]!.reads.get('GET')!.hash;
  const base = hash('ttl: 1h');
  t.match(base, /^[A-Za-z0-9_-]{16}$/);
  const alike = [
    'ttl: 2h', 'ttl: 1h, max_body: 1kb', 'ttl: 1h, query: all', 'ttl: 1h, keep_fresh: {}',
  ];
  for (const same of alike) {
    t.equal(hash(same), base, same);
  }
  t.equal(hash('query: [a, b], headers: [x, y]'), hash('query: [b, a, a], headers: [Y, x]'));
  const others = [
    '', 'ttl: 1h, query: none', 'ttl: 1h, query: [a]', 'ttl: 1h, headers: []',
    'ttl: 1h, headers: [x]', 'ttl: 1h, order: free', 'ttl: 1h, per: everyone',
    'ttl: 1h, tags: [a]', 'ttl: 1h, override: [private]',
  ];
  const hashes = [base, hash('ttl: 1h', '/q/:id'), ...others.map((options) => hash(options))];
  t.equal(new Set(hashes).size, hashes.length);
});

t.test('all problems are told at once, in order, with what was meant', async (t) => {
  const text = `upstream: localhost:3000
listen: 8080
routes:
  /posts:
    GET: { tll: 1h, ttl: 60 }
    POST: { refresh: [/post] }
    get: {}
`;
  t.same(problems(text), [
    'routes.yaml:1:11: `upstream` must be a URL such as `http://localhost:3000` or '
      + '`unix:/run/app.sock`, not `localhost:3000` (did you mean `http://localhost:3000`?)',
    'routes.yaml:2:9: `listen` must be `host:port`, such as `127.0.0.1:8080`, not `8080` '
      + '(did you mean `127.0.0.1:8080`?)',
    'routes.yaml:5:12: unknown option `tll` (did you mean `ttl`?)',
    'routes.yaml:5:26: `ttl` must be a duration such as `500ms`, `30s`, `5m`, `1h` or `1d`, '
      + 'not `60` (did you mean `60s`?)',
    'routes.yaml:6:23: the target `/post` names no route (did you mean `/posts`?)',
    'routes.yaml:7:5: unknown method `get` (did you mean `GET`?)',
  ]);
});

t.test('a read whose `headers` name a credential is wrong, at its own place', async (t) => {
  const rules = (headers: string, more = ''): string =>
    `${UP}${more}\nroutes:\n  /posts:\n    GET: { ttl: 1h, headers: [${headers}] }\n`;
  const said = (name: string, place: string): string =>
    `routes.yaml:${place}: \`headers\` names \`${name}\`, which says who is asking: `
      + 'name it in `identities`, and that in `per`';
  for (const name of ['authorization', 'cookie', 'x-api-key']) {
    t.same(problems(rules(`x-a, ${name.toUpperCase()}`)), [said(name, '5:21')]);
  }
  const named = 'credentials: { headers: [X-Who] }';
  t.same(problems(rules('x-who', named)), [said('x-who', '5:21')]);
  t.same(problems(rules('x-api-key', named)), [], 'it is none by this file');
  t.same(problems(`${UP}defaults: { headers: [cookie] }\n`), [said('cookie', '2:13')]);
});

t.test('each wrong line is told as what it is', async (t) => {
  const cases: [text: string, message: RegExp][] = [
    ['routes: {}', /^routes.yaml:1:1: `upstream` is missing: say where/],
    ['', /`upstream` is missing/],
    ['- a', /must be a map of options/],
    [`${UP}a: b: c`, /^routes.yaml:2:\d+: not YAML: nested mappings/],
    [`${UP}---\nb: 1`, /not YAML/],
    [`${UP}mode: on\nmode: off`, /^routes.yaml:3:1: this key stands twice/],
    [`${UP}mode:`, /`mode` has no value/],
    [`${UP}mode: *x`, /`\*x` names no anchor/],
    [`${UP}memory: !mine 4mb`, /not YAML/],
    ['upstream: http://u:p@h', /must have no user or password/],
    ['upstream: http://h/api', /must have no path.*did you mean `http:\/\/h`/],
    ['upstream: ftp://h', /must be a URL/],
    ['upstream: unix:app.sock', /absolute path/],
    ['upstream: { connections: 3 }', /`url` is missing/],
    ['upstream: { url: "https://h", cert: a }', /`cert` and `key` go together/],
    ['upstream: { url: "http://h", ca: a }', /need an `https:` URL/],
    [`${UP}listen: host:99999`, /must be `host:port`/],
    [`${UP}admin: no`, /must be `host:port` or `off`/],
    [`${UP}store: http://h`, /`redis:\/\/` or `rediss:\/\/` URL/],
    [`${UP}store: { prefix: a }`, /`store` needs a `url`/],
    [`${UP}store: { url: "redis://a", cluster: "redis://a" }`, /only one of `url`, `cluster`/],
    [`${UP}store: { cluster: [] }`, /`store` needs at least one address/],
    [`${UP}store: { cluster: ["redis://a/1"] }`, /`cluster` must have no path/],
    [`${UP}store: { cluster: ["redis://a?db=1"] }`, /`cluster` must have no path or query/],
    [`${UP}store: "redis://u:a%b@c"`, /whose user and password are percent-encoded/],
    [`${UP}store: { cluster: ["memory"] }`, /`cluster` must be `host:port`, or a `redis:\/\/` or/],
    [`${UP}store: { cluster: ["redis://a", "rediss://b"] }`, /either `redis:\/\/` or `rediss/],
    [`${UP}store: { cluster: ["redis://u:p@a", "redis://u:q@b"] }`, /the same user and password/],
    [`${UP}store: { cluster: "redis://a", password: p }`, /with `sentinels` only/],
    [`${UP}store: { sentinels: [a], name: b }`, /`sentinels` must be `host:port`, or a `redis/],
    [`${UP}store: { sentinels: ["redis://a"] }`, /needs the `name` that the sentinels know/],
    [`${UP}store: { sentinels: "redis://a", name: b, username: c }`, /needs a `password`/],
    [`${UP}store: { url: "rediss://a", cert: c.pem }`, /takes `cert` and `key` together/],
    [`${UP}store: { url: "redis://a", ca: c.pem }`, /with `rediss:\/\/` only/],
    [`${UP}store: { url: "redis://h", when_down: fail }`, /must be `pass` or `refuse`/],
    [`${UP}memory: 4M`, /did you mean `4mb`/],
    [`${UP}memory: 1kb`, /must be at least `1mb`/],
    [`${UP}trust_proxy: [10.0.0.0/33]`, /must be an address or a block/],
    [`${UP}trust_proxy: ["::1/129"]`, /must be an address or a block/],
    [`${UP}trust_proxy: [10.0.0]`, /must be an address or a block/],
    [`${UP}hosts: ["http://a.example/"]`, /did you mean `a.example`/],
    [`${UP}hosts: [a b]`, /must be a name/],
    [`${UP}workers: 2`, /:2:1: `workers`: more than one .* need a Redis `store`/],
    [`${UP}memory: off`, /:2:1: `memory: off` leaves no room .* without a Redis `store`/],
    [`${UP}memory: on`, /must be a size such as .*, or `off`/],
    [`${UP}workers: 0`, /must be a whole number from 1/],
    [`${UP}tls: { cert: a }`, /`key` is missing/],
    [`${UP}log: { sample: 2 }`, /must be a number from 0 to 1/],
    [`${UP}fast_path: true`, /must be `on` or `off`/],
    [`${UP}lease: 1ms`, /must be at least `200ms`/],
    [`${UP}limits: { drain: 30d }`, /must be at most `24d`/],
    [`${UP}identities: { user: {} }`, /`from` is missing/],
    [`${UP}identities: { user: { from: {} } }`, /exactly one of `cookie`, `header` and `jwt`/],
    [`${UP}identities: { user: { from: { cookie: a, header: b } } }`, /exactly one of/],
    [`${UP}identities: { user: { from: { cookie: a, trusted_from: 10.0.0.0/8 } } }`,
      /`trusted_from` of `user` goes with `header`/],
    [`${UP}identities: { user: { from: { header: x, trusted_from: [] } } }`, /names nobody/],
    [`${UP}identities: { user: { from: { header: x, trusted_from: nowhere } } }`, /an address/],
    [`${UP}identities: { user: { from: { header: cookie } } }`, /say `cookie:` and its name/],
    [`${UP}identities: { user: { from: { header: dpop } } }`, /can't be `dpop`/],
    [`${UP}identities: { user: { from: { jwt: {} } } }`, /`jwks` is missing/],
    [`${UP}identities: { user: { from: { jwt: { jwks: 'ftp://a/' } } } }`, /a path, or an `http:`/],
    [`${UP}identities: { user: { from: { jwt: { jwks: 'http://a:b@c/' } } } }`, /no user or pass/],
    [`${UP}identities: { a: { from: { cookie: x } }, b: { from: { cookie: x } } }\n`
      + 'routes: { /a: { GET: { per: [a, b] } } }', /`b` and another are read from the same place/],
    [`${UP}identities: { a: { from: { header: x } }, `
      + 'b: { from: { jwt: { jwks: k, header: x } } } }\n'
      + 'routes: { /a: { GET: { per: [a, b] } } }', /`b` and another are read from the same place/],
    [`${UP}identities: { everyone: { from: { cookie: a } } }`, /is no name for an identity/],
    [`${UP}identities: { 'a b': { from: { cookie: a } } }`, /is no name for an identity/],
    [`${UP}identities: { user: { from: { cookie: a }, forget_on: logout } }`, /a method and a/],
    [`${UP}identities: { user: { from: { cookie: a }, forget_on: 'post /a' } }`, /a method and/],
    [`${UP}identities: { user: { from: { cookie: a }, forget_on: 'POST a' } }`, /begin with `\/`/],
    [`${UP}identities: { user: { from: { cookie: a }, replay_as: service } }`, /go together/],
    [`${UP}identities: { user: { from: { cookie: a }, service: { a: b } } }`, /go together/],
    [`${UP}identities: { user: { from: { cookie: a }, replay_as: service, service: { a: b } } }`,
      /needs a name of the reader/],
    [`${UP}identities: { user: { from: { header: x, trusted_from: 10.0.0.1 }, `
      + 'replay_as: service, service: { a: b } } }', /must say `\{x\}`: whose answer it is/],
    [`${UP}identities: { user: { from: { header: x, trusted_from: 10.0.0.1 }, `
      + 'replay_as: service, service: { a: "{y}{x}" } } }', /`\{y\}` in `a` must be one of/],
    [`${UP}identities: { user: { from: { cookie: a }, max: { identities: 0 } } }`, /whole number/],
    [`${UP}routes: [a]`, /`routes` must be a map of paths/],
    [`${UP}defaults: { tll: 1h }`, /unknown option `tll`/],
    [
      `${UP}limits: { entry_life: 1h }\nroutes: { /a: { GET: { ttl: 2h } } }`,
      /`entry_life` is shorter/,
    ],
  ];
  for (const [text, message] of cases) {
    const told = problems(text);
    t.equal(told.length, 1, `${text}: ${told.join('; ')}`);
    t.match(told[0], message);
  }
});

t.test('each wrong route is told as what it is', async (t) => {
  const cases: [routes: string, message: RegExp][] = [
    ['posts: { GET: }', /must begin with `\/` \(did you mean `\/posts`\?\)/],
    ['/a?b=c: { GET: }', /must have no query/],
    ['/a//b: { GET: }', /two slashes in a row/],
    ['/a/../b: { GET: }', /is in no path that is matched/],
    ['/*/a: { GET: }', /`\*` may only stand at the end/],
    ['/a*: { GET: }', /must be a segment of its own/],
    ['/a/:id(\\d+): { GET: }', /can't have a regular expression/],
    ['/a/:id?: { GET: }', /can't be optional/],
    ['/a/:id.json: { GET: }', /must be a whole segment/],
    ['/a/x:id: { GET: }', /must be a whole segment; a colon itself is `::`/],
    ['"/a/{id}": { GET: }', /did you mean `:id`/],
    ['/:x/:x: { GET: }', /`:x` stands twice/],
    ['/é: { GET: }', /did you mean `%C3%A9`/],
    ['/%7Ea: { GET: }', /did you mean `~a`/],
    ['/a%2fb: { GET: }', /did you mean `a%2Fb`/],
    ['/a%zz: { GET: }', /broken percent-escape/],
    ['/a:', /must be a map of methods/],
    ['/a: { GET: 1h }', /`GET` must be a map of options, not `1h`/],
    ['/a: { HEAD: }', /`GET` answers it too/],
    ['/a: { QUERY: { warm: [/a] } }', /`warm`: a `QUERY` can't be asked by a URL/],
    ['/a: { OPTIONS: }', /neither a read nor a write/],
    ['/a: { TRACE: }', /neither a read nor a write/],
    ['/a: { CONNECT: }', /neither a read nor a write/],
    ['/a: { ttl: 1h }', /`ttl` is an option: it goes under a method such as `GET:`/],
    ['/a: { graphql: {} }', /`graphql` is not in this version/],
    ['/a: { upstrem: x }', /unknown method `upstrem` \(did you mean `upstream`\?\)/],
    ['/a: { GET: { refresh: /a } }', /`refresh` is an option of writes, not of `GET`/],
    ['/a: { POST: { ttl: 1h } }', /`ttl` is an option of reads, not of `POST`/],
    ['/a: { GET: { per: user } }', /may be `everyone` or an identity: `user` is none/],
    ['/a: { GET: { per: [everyone, everyone] } }', /it stands alone/],
    ['/a: { GET: { service: { a: b } } }', /goes with `per: everyone`/],
    ['/a: { GET: { per: everyone, service: { host: b } } }', /can't say `host`/],
    ['/a: { GET: { override: [nostore] } }', /did you mean `no-store`/],
    ['/a: { GET: { tags: ["{params.id}"] } }', /`id` is no parameter of this path/],
    ['/a: { GET: { query: none, tags: ["{query.x}"] } }', /not in this rule's `query`/],
    ['/a: { GET: { tags: ["{request.headers.x}"] } }', /not in this rule's `headers`/],
    ['/a: { GET: { tags: ["{request.body.x}"] } }', /a `GET` has none/],
    ['/a: { GET: { tags: [a b] } }', /has a space in it/],
    ['/a: { GET: { warm: /b } }', /`\/b` is no URL of `\/a`/],
    ['/a: { POST: { wait: yes } }', /did you mean `true`/],
  ];
  for (const [routes, message] of cases) {
    const told = problems(`${UP}routes:\n  ${routes}\n`);
    t.equal(told.length, 1, `${routes}: ${told.join('; ')}`);
    t.match(told[0], message);
  }
  const twice = problems(`${UP}routes: { /a/:x: { GET: }, /a/:y: { GET: } }`);
  t.match(twice, [/same paths as `\/a\/:x`/]);
});

t.test('variables are filled in, and what is missing is a problem', async (t) => {
  const env = { UP: 'http://h:1', N: '1', EMPTY: '', SAMPLE: '0.5' };
  const filled = config(`upstream: \${UP}
workers: \${N}
log: { level: "\${LEVEL:-warn}", sample: "\${SAMPLE}" }
mode: \${EMPTY:-off}`, { env });
  t.match(filled, {
    upstream: { url: 'http://h:1' }, log: { level: 'warn', sample: 0.5 }, mode: 'off',
  });
  t.equal(config(`${UP}secret: "$\${A}-\${N}"`, { env }).secret, '${A}-1');
  t.same(problems(`${UP}secret: \${NOPE}`), [
    'routes.yaml:2:9: the environment has no `NOPE`, and `${NOPE}` has no default']);
  t.match(problems(`${UP}secret: \${a.b}`), [/must be `\${NAME}` or/]);
  t.match(problems(`${UP}secret: \${UP`, { env }), [/has no closing brace/]);
  t.match(problems(`${UP}secret: \${toString}`), [/has no `toString`/]);
});

t.test('flags win over variables, and these over the file', async (t) => {
  const env = {
    EVERFRESH_LISTEN: '127.0.0.1:1', EVERFRESH_ADMIN: 'off', EVERFRESH_MODE: '',
    EVERFRESH_LOG_LEVEL: 'error', EVERFRESH_ADMIN_TOKEN: 'from the environment',
  };
  const text = `${UP}listen: 127.0.0.1:3\nmode: observe\nlog: { sample: 1 }`;
  t.match(config(text, { env, overrides: { listen: '127.0.0.1:2' } }), {
    listen: { port: 2 }, admin: 'off', mode: 'observe', log: { level: 'error', sample: 1 },
    adminToken: 'from the environment',
  });
  t.equal(config(text, { env }).listen.port, 1);
  t.equal(config('', { overrides: { upstream: 'http://h' } }).upstream.url, 'http://h');
  t.match(problems(UP, { overrides: { listen: 'x' } }), [/^--listen: `listen` must be/]);
  t.match(problems(UP, { env: { EVERFRESH_STORE: 'x' } }), [/^EVERFRESH_STORE: `store` must be/]);
});

t.test('another address keeps the other options of the file', async (t) => {
  const text = 'upstream: { url: "http://a", connections: 3 }\n'
    + 'store: { url: "redis://a", prefix: p }';
  const overrides = { upstream: 'http://b', store: 'redis://b' };
  t.match(config(text, { overrides }), {
    upstream: { url: 'http://b', connections: 3 }, store: { url: 'redis://b', prefix: 'p' },
  });
  t.same(config(text, { overrides: { store: 'memory' } }).store, { kind: 'memory' });
});

t.test('the store is one server, a cluster, or what sentinels name', async (t) => {
  const store = (yaml: string, overrides = {}): unknown =>
    config(`${UP}${yaml}`, { overrides }).store;
  const rest = { prefix: 'everfresh', whenDown: 'pass' };
  t.same(store('store: { cluster: ["rediss://u:p@a:1", "rediss://b"], ca: c.pem }'), {
    kind: 'redis', cluster: ['rediss://u:p@a:1', 'rediss://b'], ca: 'c.pem', ...rest,
  });
  const sentinels = 'store: { sentinels: ["redis://:s@a", "redis://b:26380"], name: mymaster, '
    + 'username: u, password: p, prefix: shop }';
  t.same(store(sentinels), {
    kind: 'redis', sentinels: ['redis://:s@a', 'redis://b:26380'], name: 'mymaster',
    username: 'u', password: 'p', ...rest, prefix: 'shop',
  });
  t.same(store(sentinels, { store: 'redis://c/2' }), {
    kind: 'redis', url: 'redis://c/2', ...rest, prefix: 'shop',
  }, 'a flag names one server, with the rest of the file');
});

t.test('a secret is never told', async (t) => {
  const told = [
    ...problems(`${UP}store: { cluster: ["redis://u:hunter2@/", "redis://a"] }`),
    ...problems(`${UP}store: { cluster: ["redis://u:hunter2@a", "redis://u:hunter22@b"] }`),
    ...problems(`${UP}store: { url: "redis://a", password: hunter2 }`),
    ...problems(`${UP}store: { sentinels: "redis://a", name: m, password: [hunter2] }`),
    ...problems(`${UP}store: "redis://u:hunter2@/"`), ...problems(`${UP}store: "hunter2"`),
    ...problems('upstream: http://u:hunter2@h'), ...problems(`${UP}secret: [hunter2]`),
  ];
  t.equal(told.length, 8);
  t.notMatch(told.join('\n'), /hunter2/);
});

t.test('anchors are followed, and a file that means too much is refused', async (t) => {
  const { routes } = config(`${UP}routes:
  /a: { GET: &read { ttl: 1h } }
  /b: { GET: *read }`);
  t.equal(routes[1]!.reads.get('GET')!.ttlMs, 3_600_000);
  const level = (i: number): string =>
    `a${i}: &a${i} [${Array(10).fill(i === 0 ? 'x' : `*a${i - 1}`).join(', ')}]`;
  const laughs = Array.from({ length: 9 }, (_, i) => level(i)).join('\n');
  t.match(problems(`${UP}${laughs}`).join('\n'), /means too many values/);
  t.match(problems(`${UP}a: &a [*a]`).join('\n'), /nested too deeply/);
});

t.test('names that mean something to JavaScript are only names', async (t) => {
  t.match(problems(`${UP}__proto__: {}\nconstructor: 1`), [
    /unknown option `__proto__`/, /unknown option `constructor`/,
  ]);
  const { routes } = config(`${UP}routes: { /__proto__: { GET: }, /:__proto__: { GET: } }`);
  t.same(routes.map(({ pattern }) => pattern), ['/__proto__', '/:__proto__']);
});
