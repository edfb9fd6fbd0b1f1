// The configuration's text, with flags and variables over it, to a Config or to all of its problems
// at once. Reads no file and no environment itself.
import { warnings } from './check.ts';
import type {
  Config, Credentials, Identity, Limits, Route, UpstreamConfig,
} from './config.ts';
import { topOptions } from './grammar.ts';
import { readFields } from './kinds.ts';
import type { Values } from './kinds.ts';
import { compileIdentities } from './identities.ts';
import { applyOverrides, overrideOf } from './overrides.ts';
import type { Overrides } from './overrides.ts';
import { Notes } from './problem.ts';
import type { Place, Problem } from './problem.ts';
import { checkDefaults, compileRoutes, implicitRoutes } from './routes.ts';
import type { Places } from './rule.ts';
import { readSource } from './source.ts';
import type { Env } from './source.ts';
import { compileStore } from './store.ts';
import { entryOf } from './tree.ts';
import type { Table } from './tree.ts';
import { compileUpstream, totalTimeoutMs } from './upstream.ts';
import { printDuration } from '../units.ts';

export type { Problem } from './problem.ts';

export interface ParseOptions {
  /** The file's name, as problems shall say it. */
  readonly file: string;
  readonly env?: Env;
  readonly overrides?: Overrides;
}

export type Parsed =
  | {
      readonly kind: 'ok';
      readonly config: Config;
      readonly warnings: readonly Problem[];
      /** Where each top-level option was given, and each of `limits` as `limits.url`. */
      readonly keys: ReadonlyMap<string, Place>;
    }
  | { readonly kind: 'wrong'; readonly problems: readonly Problem[] };

type Given = Values<typeof topOptions>;

/** What the parts of the compiler share. */
interface Compiling {
  readonly tree: Table;
  readonly given: Given;
  readonly notes: Notes;
  /** Where an option was given, or the begin of the file. */
  readonly placeOf: (key: string) => Place;
}

const WRITE_MARGIN_MS = 5000;
const ENTRY_LIFE_MS = 86_400_000;

// People use many names for the field that says who is asking; these are the usual ones.
const CREDENTIAL_FIELDS = [
  'authorization', 'x-api-key', 'api-key', 'apikey', 'x-apikey', 'x-auth-token', 'x-access-token',
  'x-session-token', 'x-session-id', 'x-id-token', 'x-token', 'token', 'private-token',
  'x-amz-security-token', 'x-vault-token', 'x-shopify-access-token', 'x-gitlab-token',
  'x-csrf-token', 'x-user-id', 'x-user', 'remote-user', 'x-remote-user',
  'x-forwarded-user', 'x-forwarded-email',
  'x-authenticated-user', 'x-auth-request-user', 'x-auth-request-email', 'x-webauth-user',
  'x-amzn-oidc-identity', 'x-amzn-oidc-data', 'x-goog-authenticated-user-email',
  'x-goog-authenticated-user-id', 'x-ms-client-principal', 'x-ms-client-principal-name',
  'x-ms-client-principal-id', 'tailscale-user-login',
  // What proves something of one request, or what a proxy says of its client's certificate.
  'dpop', 'signature', 'signature-input', 'client-cert', 'client-cert-chain', 'x-client-cert',
  'x-ssl-client-cert', 'ssl-client-cert', 'x-forwarded-client-cert', 'x-forwarded-tls-client-cert',
  'x-amzn-mtls-clientcert',
];

export function parseRules(text: string, { file, env = {}, overrides = {} }: ParseOptions): Parsed {
  const notes = new Notes();
  const source = readSource(text, { file, env, notes });
  if (source === undefined) return { kind: 'wrong', problems: notes.problems };
  const tree = applyOverrides(source, env, overrides);
  const places: Places = new Map();
  const keys = keysOf(tree);
  const given = readFields(topOptions, tree, notes);
  const placeOf = (key: string): Place => keys.get(key) ?? { file, line: 1, column: 1 };
  const compiling = { tree, given, notes, placeOf };
  const identities = compileIdentities(given.identities, notes);
  for (const { name, at } of given.identities ?? []) {
    const identity = identities.find((one) => one.name === name);
    if (identity !== undefined) places.set(identity, at);
  }
  const routes = routesOf(compiling, identities, places);
  const config = compile(compiling, { routes, identities, routed: keys.has('routes') });
  if (notes.problems.length > 0 || config === undefined) {
    return { kind: 'wrong', problems: notes.problems };
  }
  const token = overrideOf('admin_token', env, overrides)?.text;
  const credentialsKey = overrideOf('credentials_key', env, overrides)?.text;
  const whole: Config = {
    ...config,
    ...(token === undefined ? {} : { adminToken: token }),
    ...(credentialsKey === undefined ? {} : { credentialsKey }),
  };
  return { kind: 'ok', config: whole, warnings: warnings(whole, places, placeOf), keys };
}

function keysOf(tree: Table): Map<string, Place> {
  const limits = entryOf(tree, 'limits')?.value;
  const inner = limits?.is === 'table' ? limits.entries : [];
  return new Map([
    ...tree.entries.map(({ key, at }) => [key, at] as const),
    ...inner.map(({ key, at }) => [`limits.${key}`, at] as const),
  ]);
}

function routesOf(
  { given, notes, placeOf }: Compiling, identities: readonly Identity[], places: Places,
): Route[] {
  const { defaults } = given;
  if (defaults !== undefined) checkDefaults(defaults, notes);
  const { headers } = compileCredentials(given.credentials, identities);
  const credentials = new Set(['cookie', ...headers]);
  const context = { notes, places, defaults, credentials, identities };
  return given.routes === undefined
    ? implicitRoutes(placeOf('routes'), context)
    : compileRoutes(given.routes, context);
}

function compile(
  compiling: Compiling,
  { routes, identities, routed }: {
    routes: readonly Route[]; identities: readonly Identity[]; routed: boolean;
  },
): Config | undefined {
  const { tree, given, notes, placeOf } = compiling;
  const upstream = compileTopUpstream(compiling);
  const named = entryOf(tree, 'store')?.value;
  const store = compileStore(given.store, { named, at: placeOf('store'), notes });
  if (given.workers > 1 && store.kind === 'memory') {
    const message = '`workers`: more than one share what they keep, and need a Redis `store`';
    notes.wrong(placeOf('workers'), message);
  }
  if (given.memory === 0 && store.kind === 'memory') {
    const message = '`memory: off` leaves no room for entries without a Redis `store`';
    notes.wrong(placeOf('memory'), message);
  }
  const limits = compileLimits(compiling, routes);
  if (upstream === undefined) return undefined;
  return {
    upstream,
    listen: given.listen,
    admin: given.admin,
    store,
    memoryBytes: given.memory,
    trustProxy: given.trust_proxy ?? [],
    hosts: given.hosts ?? [],
    credentials: compileCredentials(given.credentials, identities),
    mode: given.mode,
    clientDirectives: given.client_directives,
    workers: given.workers,
    ...compileTls(given),
    log: given.log,
    fastPath: given.fast_path,
    leaseMs: given.lease,
    writeDeadlineMs: given.write_deadline ?? longestExchangeMs(upstream, routes) + WRITE_MARGIN_MS,
    limits,
    ...(given.secret === undefined ? {} : { secret: given.secret }),
    conventions: given.conventions,
    identities,
    routes,
    implicit: !routed,
  };
}

function compileTopUpstream({ given, notes, placeOf }: Compiling): UpstreamConfig | undefined {
  const { upstream } = given;
  return upstream === undefined
    ? undefined : compileUpstream(upstream, placeOf('upstream'), notes);
}

function compileTls({ tls }: Given): Pick<Config, 'tls'> {
  if (tls?.cert === undefined || tls.key === undefined) return {};
  return { tls: { cert: tls.cert, key: tls.key } };
}

function longestExchangeMs(upstream: UpstreamConfig, routes: readonly Route[]): number {
  const others = routes.flatMap((route) => (route.upstream === undefined ? [] : [route.upstream]));
  return Math.max(...[upstream, ...others].map(totalTimeoutMs));
}

/**
 * RFC 9111 §3.5 makes `Authorization` a credential whatever the operator says; what an identity
 * names is one as well.
 */
function compileCredentials(
  { headers, cookies = 'all' }: Given['credentials'], identities: readonly Identity[],
): Credentials {
  const named = headers === undefined ? CREDENTIAL_FIELDS : ['authorization', ...headers];
  const own = identities.flatMap(({ from, service }) => [
    ...(from.kind === 'cookie' ? [] : [from.kind === 'jwt' ? from.header : from.name]),
    ...service.map(({ name }) => name),
  ]);
  const crumbs = identities.flatMap(({ from }) => (from.kind === 'cookie' ? from.name : []));
  return {
    headers: [...new Set([...named, ...own])],
    cookies: cookies === 'all' ? cookies : [...new Set([...cookies, ...crumbs])],
    identityCookies: crumbs,
  };
}

function compileLimits({ given, notes, placeOf }: Compiling, routes: readonly Route[]): Limits {
  const { limits } = given;
  const longest = longestLife(routes);
  const { entry_life: life = Math.max(ENTRY_LIFE_MS, longest.ms) } = limits;
  if (life < longest.ms) {
    const message = `\`entry_life\` is shorter than what \`${longest.pattern}\` may live, `
      + `\`${printDuration(longest.ms)}\``;
    notes.wrong(placeOf('limits'), message);
  }
  return {
    urlBytes: limits.url,
    headerBytes: limits.header,
    headerCount: limits.header_count,
    queryParameters: limits.query_parameters,
    requestTimeoutMs: limits.request_timeout,
    headersTimeoutMs: limits.headers_timeout,
    keepAliveTimeoutMs: limits.keep_alive_timeout,
    sendTimeoutMs: limits.send_timeout,
    connections: limits.connections,
    streams: limits.streams,
    queryBodyBytes: limits.query_body,
    writeBodyBytes: limits.write_body,
    responseBodyBytes: limits.response_body,
    writesPerClient: limits.writes_per_client,
    writes: limits.writes,
    newVariantsPerMinute: limits.new_variants_per_minute,
    tagsPerEntry: limits.tags_per_entry,
    touched: limits.touched,
    remembered: limits.remembered,
    entryLifeMs: life,
    refreshConcurrency: limits.refresh_concurrency,
    storeBudgetMs: limits.store_budget,
    drainMs: limits.drain,
    quarantineMs: limits.quarantine,
  };
}

function longestLife(routes: readonly Route[]): { ms: number; pattern: string } {
  let longest = { ms: 0, pattern: '' };
  for (const { pattern, reads } of routes) {
    for (const { ttlMs = 0, staleWhileRevalidateMs = 0, staleIfErrorMs = 0 } of reads.values()) {
      const ms = ttlMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs);
      if (ms > longest.ms) longest = { ms, pattern };
    }
  }
  return longest;
}
