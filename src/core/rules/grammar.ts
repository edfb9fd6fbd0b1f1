// Every key and option of the configuration, once: its kind, its default, one sentence about it.
// The reader's checks, the defaults, the JSON Schema and the documentation's tables come from here.
import * as format from './formats.ts';
import {
  group, list, mapOf, maybe, must, notYet, object, placed, scalar, scalarOrMap, secretText, table,
  usually, wordOrList,
} from './kinds.ts';
import { choice, count, duration, flag, onOff, share, size, sizeOrOff } from './scalars.ts';

const DAY_MS = 86_400_000;
const timeout = duration({ min: 1 });
const life = duration({ max: 3650 * DAY_MS });
const path = scalar('the path of a PEM file', format.anyText);
const parameter = scalar('the name of a parameter', format.anyText);
const field = scalar('the name of a field, such as `x-api-key`', format.fieldName);
const hostPort = scalar('`host:port`, such as `127.0.0.1:8080`', format.hostPort);

export const upstreamUrl = scalar(
  'a URL such as `http://localhost:3000` or `unix:/run/app.sock`', format.upstreamUrl);

export const upstreamOptions = {
  url: must(
    upstreamUrl, 'Where to fetch from: `http`, `https` or `unix:`, with no path.',
    'say where to fetch from'),
  connections: usually(count({ max: 65_535 }), '128', 'Connections at most.'),
  connect_timeout: usually(timeout, '2s', 'Time for a connection to be made.'),
  headers_timeout: usually(timeout, '30s', 'Time until the head of the answer is here.'),
  body_timeout: usually(timeout, '30s', 'Time between two pieces of the answer\'s body.'),
  ca: maybe(path, 'PEM file with the authorities that are believed.', 'the system\'s'),
  cert: maybe(path, 'PEM file with the client\'s certificate; goes with `key`.'),
  key: maybe(path, 'PEM file with the key of `cert`.'),
};

const redis = scalar('a `redis://` or `rediss://` URL', format.redisUrl);
const redisNodes = list(
  scalar('`host:port`, or a `redis://` or `rediss://` URL', format.redisNode));
const memoryOrRedis = scalar(
  '`memory`, or a `redis://` or `rediss://` URL',
  (text) => (text === 'memory' ? format.value(text) : format.redisUrl(text)));

export const storeOptions = {
  url: maybe(
    redis, 'A single Redis: a `redis://` or `rediss://` URL.',
    'this, `cluster` or `sentinels` is required'),
  cluster: maybe(
    redisNodes, 'A Redis Cluster: addresses of some nodes, from which the others are learnt; '
    + 'user, password and `rediss://` hold for all.'),
  sentinels: maybe(
    redisNodes, 'Redis Sentinel: addresses of the sentinels; user and password in them are the '
    + 'sentinels\', `rediss://` holds for the servers too.'),
  name: maybe(
    scalar('a name', format.anyText), 'What the sentinels call the primary; they need it.'),
  username: maybe(
    secretText('a text'), 'The user at the servers that the sentinels name.', '`default`'),
  password: maybe(
    secretText('a text'), 'The password at the servers that the sentinels name.'),
  ca: maybe(path, 'PEM file with the authorities that are believed.', 'the system\'s'),
  cert: maybe(path, 'PEM file with the client\'s certificate; goes with `key`.'),
  key: maybe(path, 'PEM file with the key of `cert`.'),
  prefix: usually(
    scalar('letters, digits and `_.:-`, at most 64', format.prefix), 'everfresh',
    'Stands before all keys; instances with the same one share what they keep.'),
  when_down: usually(
    choice('pass', 'refuse'), 'pass',
    'What a write does while the store is away: forwarded, or refused with 503.'),
};

export const credentialsOptions = {
  headers: maybe(
    list(field), 'Fields that say who is asking; `authorization` always does.',
    '`authorization`, `x-api-key`, `x-auth-token` and the like'),
  cookies: maybe(
    wordOrList(['all'], list(scalar('the name of a cookie', format.cookieName))),
    'Cookies that say who is asking; the others don\'t reach the upstream on a shared fill.',
    '`all`'),
};

export const tlsOptions = {
  cert: must(path, 'PEM file with the certificate and its chain.', 'the path of a PEM file'),
  key: must(path, 'PEM file with its key.', 'the path of a PEM file'),
};

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const logOptions = {
  level: usually(choice(...levels), 'info', 'The least that is logged.'),
  sample: usually(share(), '0.01', 'Share of the hits that are logged, from 0 to 1.'),
};

export const limitOptions = {
  url: usually(size({ min: 64, max: 65_536 }), '8kb', 'Of the request\'s target; over it: 414.'),
  header: usually(
    size({ min: 1024, max: 1024 ** 2 }), '16kb', 'Of the request\'s head; over it: 431.'),
  header_count: usually(count({ max: 2000 }), '100', 'Lines of the request\'s head; over it: 431.'),
  query_parameters: usually(count({ min: 0 }), '500', 'Of one request; over it: 414.'),
  request_timeout: usually(
    duration(), '60s', 'The whole request must be here in this time; 0: no bound.'),
  headers_timeout: usually(timeout, '15s', 'The request\'s head must be here in this time.'),
  keep_alive_timeout: usually(timeout, '65s', 'How long an idle connection of a client is kept.'),
  send_timeout: usually(
    timeout, '30s', 'A client that takes no byte of its answer for this long is cut off.'),
  connections: usually(count(), '10000', 'Connections of clients at once.'),
  streams: usually(count(), '100', 'Requests at once on one connection of HTTP/2.'),
  query_body: usually(
    size(), '64kb', 'A QUERY\'s body up to here is read, and in its key; over it: passed.'),
  write_body: usually(
    size(), '1mb', 'A write\'s body up to here is gathered before its intent is recorded.'),
  response_body: usually(
    size(), '1mb', 'A write\'s answer up to here is read by targets such as `{response.body.id}`.'),
  writes_per_client: usually(
    count(), '250', 'Writes under way at once for one client; over it: 429.'),
  writes: usually(count(), '1000', 'Writes under way at once in all; over it: 429.'),
  new_variants_per_minute: usually(count(), '6000', 'Of one route; over it: passed, not kept.'),
  tags_per_entry: usually(count({ min: 8 }), '64', 'Over it: not kept.'),
  touched: usually(count({ min: 100 }), '100000', 'Touched tags remembered before pruning.'),
  remembered: usually(
    count(), '10000',
    'Tags that an outage of the store may leave to be touched; over it: everything.'),
  entry_life: maybe(
    duration({ min: 1000, max: 3650 * DAY_MS }), 'Longest time that an entry stays in the store.',
    '`1d`, or the longest `ttl` with what may follow it'),
  refresh_concurrency: usually(count({ max: 10_000 }), '32', 'Refreshes under way at once.'),
  store_budget: usually(timeout, '500ms', 'Time for each call of the store.'),
  drain: usually(duration(), '10s', 'How long SIGTERM waits for what is under way.'),
  quarantine: usually(timeout, '60s', 'How long a write of unknown outcome is held.'),
};

export const keepFreshOptions = {
  recent: usually(life, '10m', 'Only entries that were read within this time.'),
  top: usually(count({ min: 0 }), '100', 'At most so many, the hottest first, after one write.'),
  concurrency: usually(count({ max: 10_000 }), '8', 'Refreshes of the route under way at once.'),
};

/** Fields with their values, which are secrets: no message quotes them. */
const serviceFields = mapOf(
  'a map of fields such as `authorization: "Bearer ${SERVICE_TOKEN}"`',
  secretText('the value of a field'),
  (name) => (format.isToken(name) ? undefined : `\`${name}\` is no name of a field`));

export const jwtOptions = {
  header: usually(
    field, 'authorization', 'The field with the token; `Bearer` before it is left out.'),
  claims: usually(
    list(scalar('the name of a claim', format.anyText)), 'sub',
    'Claims that tell readers apart: all on which it depends what one may see.'),
  jwks: must(
    scalar('a path, or an `http:` or `https:` URL', format.jwksPlace),
    'The keys, as a JWK Set: the path of a file, or a URL that is asked again when a key is new.',
    'say where the keys are'),
  issuer: maybe(
    list(scalar('an issuer', format.anyText)), 'What `iss` must be, or one of several.', 'any'),
  audience: maybe(
    list(scalar('an audience', format.anyText)), 'What `aud` must have, or one of several.', 'any'),
};

export const fromOptions = {
  cookie: maybe(
    scalar('the name of a cookie', format.cookieName), 'A cookie, such as a session\'s.'),
  header: maybe(field, 'A field, such as `authorization` or `x-api-key`.'),
  jwt: maybe(object(jwtOptions), 'Claims of a signed token, which is verified.'),
  trusted_from: maybe(
    list(scalar('an address or a block such as `10.0.0.0/8`', format.cidr)),
    'With `header`: who sets it. From anywhere else the field is taken away.'),
};

export const maxOptions = {
  identities: usually(count(), '10000', 'Readers that are known at once; the longest unseen goes.'),
  variants_each: usually(count(), '100', 'Answers of one reader in use; over it: not kept.'),
};

export const identityOptions = {
  from: must(
    object(fromOptions), 'What says who asks: one of the following.',
    'say where a reader\'s name is, such as `{ cookie: sid }`'),
  recheck: usually(
    duration({ min: 1, max: DAY_MS }), '60s',
    'So long after the upstream has accepted a credential answers are given without asking it.'),
  keep: usually(
    life, '15m', 'So long after its last request a credential may be used to refresh.'),
  replay_as: usually(
    choice('own', 'service', 'none'), 'own',
    'Refreshes are asked for with the reader\'s own credential, with `service`, or not at all.'),
  hold: usually(
    choice('memory', 'store'), 'memory',
    'Where credentials for refreshing are held: in memory alone, or also in Redis for all '
    + 'instances, encrypted by `EVERFRESH_CREDENTIALS_KEY`.'),
  service: maybe(
    serviceFields, 'With `replay_as: service`: fields of the operator\'s own, and who it is about, '
    + 'such as `x-on-behalf-of: "{sub}"`.'),
  forget_on: maybe(
    list(placed('a method and a path such as `POST /logout`')),
    'Requests that end a credential, such as `POST /logout`.'),
  max: group(object(maxOptions), 'How many at most.'),
};

export const readOptions = {
  ttl: maybe(
    life, 'How long an answer of 200, 203, 204, 300, 301 or 308 may be used; wins over the '
    + 'upstream\'s freshness, not over its `no-store`, `private` or `Set-Cookie`. Others go by '
    + 'HTTP\'s rule.',
    'HTTP\'s rule'),
  negative_ttl: usually(life, '10s', 'The longest that a 404 or 410 may be used under `ttl`.'),
  override: maybe(
    list(choice('no-store', 'private', 'set-cookie')),
    'Any of `no-store`, `private`, `set-cookie`: these of the upstream are ignored, knowingly.'),
  stale_while_revalidate: maybe(
    life,
    'How long after its time an answer is given while it is fetched again; never past a touch.',
    'the upstream\'s'),
  stale_if_error: maybe(
    life, 'How long after its time an answer is given when the upstream fails; never past a touch.',
    'the upstream\'s'),
  query: maybe(
    wordOrList(['all', 'none'], list(parameter)),
    '`all`, `none`, or the parameters that tell answers apart; the rest is withheld on a fill.',
    '`all`'),
  headers: maybe(
    list(field),
    'Request fields that tell answers apart, no credentials; the rest is withheld on a fill.',
    'with `ttl`: every field that isn\'t known to be harmless; else the answer\'s `Vary`'),
  order: usually(
    choice('given', 'free'), 'given', '`free`: query parameters in another order mean the same.'),
  client_cache: usually(
    scalar('`pass`, `no-cache`, or a value of `Cache-Control`', format.fieldValue), 'pass',
    'What clients are told: `pass` (the upstream\'s `Cache-Control`), `no-cache`, or a value.'),
  max_variants: usually(count(), '100000', 'Variants of this route; over it: not kept.'),
  per: maybe(
    list(placed('`everyone`, or an identity of the file')),
    '`everyone`: requests with credentials share the answers, by the operator\'s word. An '
      + 'identity, or several: each of their readers has answers of their own.',
    'requests with credentials are passed'),
  service: maybe(
    serviceFields, 'With `per: everyone`: the operator\'s own credential, sent on fills.'),
  tags: maybe(
    list(placed('a tag such as `posts` or `author:{response.body.author}`')),
    'Extra tags, such as `[posts, "author:{response.body.author}"]`.'),
  warm: maybe(
    list(placed('a URL of this route, such as `/posts?page=2`')),
    'URLs of this route that are fetched at start.'),
  keep_fresh: group(object(keepFreshOptions), 'Limits on refreshing this route after a write.'),
  max_body: usually(size(), '4mb', 'Larger answers are streamed, not kept.'),
};

const targets = list(placed('a target such as `/posts/:id` or `tag:posts`'));

export const writeOptions = {
  refresh: maybe(targets, 'Targets, made invalid and fetched again after success.'),
  purge: maybe(
    targets,
    'Targets, made invalid only; the write\'s own path too, where it is one of them.'),
  wait: usually(flag(), 'false', '`true`: the writer is answered after the refreshes are kept.'),
  wait_timeout: usually(timeout, '5s', 'How long `wait` waits at most.'),
  settle: usually(
    duration(), '0', 'For upstreams whose reads lag behind their writes: answers fetched before '
    + 'this time has passed are not kept, then touched and refreshed again.'),
};

/** What stands under a path beside its methods. */
export const pathOptions = {
  upstream: maybe(
    scalarOrMap(upstreamUrl, object(upstreamOptions)), 'Another upstream for this path.',
    'the file\'s `upstream`'),
  graphql: maybe(notYet(), 'A GraphQL endpoint; not in this version.'),
};

/** The schemas of these two are made in schema.ts, of the tables above. */
const defaults = table('a map of options', {});
const routes = table('a map of paths, each with its methods', {});

export const topOptions = {
  upstream: must(
    scalarOrMap(upstreamUrl, object(upstreamOptions)),
    'Where everfresh fetches from: a URL, or a map with `url` and more; DNS is followed.',
    'say where to fetch from, such as `http://localhost:3000`'),
  listen: usually(hostPort, '127.0.0.1:8080', 'Where the gateway listens.'),
  admin: usually(
    scalar('`host:port` or `off`', format.hostPortOrOff), '127.0.0.1:8081',
    'Where the admin listener listens, or `off`.'),
  store: maybe(
    scalarOrMap(memoryOrRedis, object(storeOptions)),
    'Where entries and touches are kept: `memory`, a Redis URL, or a map.', '`memory`'),
  memory: usually(
    sizeOrOff({ min: 1024 ** 2 }), '256mb',
    'Bound of the memory tier; `off`: entries are in Redis only, and asked for there each time.'),
  trust_proxy: maybe(
    list(scalar('an address or a block such as `10.0.0.0/8`', format.cidr)),
    'Proxies in front whose `Forwarded` and `X-Forwarded-*` are believed.'),
  hosts: maybe(
    list(scalar('a name such as `example.com`', format.authority)),
    'Names that clients may use, passed on as `Host` and part of the key; others get 421.', 'any'),
  credentials: group(object(credentialsOptions), 'What says who is asking.'),
  mode: usually(
    choice('on', 'observe', 'off'), 'on',
    '`observe` passes everything and says what it would have done; `off` is a plain proxy.'),
  client_directives: usually(
    choice('honour', 'ignore'), 'honour', 'What becomes of the request\'s `Cache-Control`.'),
  workers: usually(
    count({ max: 1024 }), '1',
    'Processes that share the port, each an instance with its part of `memory`; more than one need '
      + 'a Redis `store`.'),
  tls: maybe(
    object(tlsOptions), 'For HTTPS and HTTP/2 towards clients.', 'plain HTTP'),
  log: group(object(logOptions), 'What is logged.'),
  fast_path: usually(
    onOff(), 'on',
    'Whether plain reads are read and answered on the socket itself, in clear text.'),
  lease: usually(
    duration({ min: 200, max: 60_000 }), '2s', 'How long an instance may use the cache unheard.'),
  write_deadline: maybe(
    timeout, 'Time for a whole write.', 'the upstream\'s time-outs together, and 5s'),
  limits: group(object(limitOptions), 'Sizes, counts and times that nothing may exceed.'),
  secret: maybe(
    secretText('a text that nobody can guess'),
    'Keys the HMACs by which readers are told apart; better in `EVERFRESH_SECRET`. With '
      + '`identities` a shared store needs it.',
    'made at start'),
  conventions: usually(
    choice('rest', 'off'), 'rest',
    '`rest`: a write to a path that no rule names refreshes the collection above it too. Without a '
    + 'rule, only what was read more than once is fetched again; the rest is invalid.'),
  defaults: maybe(defaults, 'Options for every read or write; a route\'s own win.'),
  identities: maybe(
    mapOf(
      'a map of names, each with where it is read from', object(identityOptions),
      (name) => (/^[A-Za-z][\w-]{0,31}$/.test(name) && name !== 'everyone' ? undefined
        : `\`${name}\` is no name for an identity: letters, digits, \`_\` and \`-\``)),
    'Who asks, by name, for answers that differ by reader: `per` of a read.'),
  routes: maybe(
    routes, 'Path, then method, then options.', 'every GET, as HTTP allows'),
};
