// What an operator asked for, after reading, checking and compiling: the one shape that the rest of
// the house works with. Every default is filled in; durations are milliseconds, sizes bytes.
import type { Fields } from '../http/message.ts';

/** One address that everfresh fetches from. */
export interface UpstreamConfig {
  /** `http:` or `https:` with no path, or `unix:/path/to.sock`. */
  readonly url: string;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where a Redis is, and as whom it is asked: exactly one of the first three is given. */
export interface RedisPlace {
  readonly url?: string;
  readonly cluster?: readonly string[];
  readonly sentinels?: readonly string[];
  /** What the sentinels call the primary. */
  readonly name?: string;
  /** At the servers that the sentinels name. */
  readonly username?: string;
  readonly password?: string;
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export type StoreConfig =
  | { readonly kind: 'memory' }
  | RedisPlace & {
      readonly kind: 'redis';
      readonly prefix: string;
      readonly whenDown: 'pass' | 'refuse';
    };

export interface Credentials {
  /** Lower-case names of the fields that say who is asking. */
  readonly headers: readonly string[];
  /** Names of the cookies that do; `all` when none is named. */
  readonly cookies: 'all' | readonly string[];
  /** Those that an identity names. */
  readonly identityCookies: readonly string[];
}

/** Where a reader's name is read from; every name of a field is in lower case. */
export type IdentitySource =
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'header'; readonly name: string }
  | {
      readonly kind: 'jwt';
      readonly header: string;
      readonly claims: readonly string[];
      /** A path or an `http:` or `https:` URL. */
      readonly jwks: string;
      readonly issuer: readonly string[];
      readonly audience: readonly string[];
    }
  /** A field that somebody in front sets; from anywhere else it is taken away. */
  | { readonly kind: 'trusted'; readonly name: string; readonly trustedFrom: readonly string[] };

/** Who asks: what tells readers apart, and what may be done as one of them. */
export interface Identity {
  readonly name: string;
  readonly from: IdentitySource;
  /** So long after the upstream has accepted a credential answers are given without asking it. */
  readonly recheckMs: number;
  /** So long after its last request a credential may be used to refresh. */
  readonly keepMs: number;
  readonly replayAs: 'own' | 'service' | 'none';
  /** Where credentials stand: here, or sealed in the store as well. */
  readonly hold: 'memory' | 'store';
  /** The operator's own credential, sent on refreshes with `service`. */
  readonly service: readonly ServiceField[];
  /** Requests after which a credential is not good any more. */
  readonly forgetOn: readonly ForgetOn[];
  readonly max: { readonly identities: number; readonly variantsEach: number };
  /** Of whatever decides about a reader's entries: it is in the hash of each rule that names it. */
  readonly hash: string;
}

/** A field of the operator's, whose value has holes for the reader's name. */
export interface ServiceField {
  readonly name: string;
  /** Texts and, between them, names of claims (of the field, for a trusted one). */
  readonly texts: readonly string[];
  readonly holes: readonly string[];
}

export interface ForgetOn {
  readonly method: string;
  readonly pattern: string;
  readonly segments: readonly Segment[];
  readonly params: readonly string[];
}

/** Bounds on what comes through the door and on what is kept; see docs/configuration.md. */
export interface Limits {
  readonly urlBytes: number;
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly queryParameters: number;
  /** The whole request must have arrived in this time (0 = no bound). */
  readonly requestTimeoutMs: number;
  /** The head must have arrived in this time. */
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How long a client may take no byte of its answer. */
  readonly sendTimeoutMs: number;
  readonly connections: number;
  /** Requests under way on one connection of HTTP/2. */
  readonly streams: number;
  /** A write's body up to here is gathered before its intent is recorded. */
  readonly writeBodyBytes: number;
  /** A QUERY's body up to here is read, and in its key; over it: passed. */
  readonly queryBodyBytes: number;
  /** A write's answer up to here is read by targets such as `{response.body.id}`. */
  readonly responseBodyBytes: number;
  /** Writes under way at once, for one client address, and in all. */
  readonly writesPerClient: number;
  readonly writes: number;
  /** New variants of one route in a minute; over it: passed, not kept. */
  readonly newVariantsPerMinute: number;
  /** Tags of one entry; over it: not kept. */
  readonly tagsPerEntry: number;
  /** Touched tags that the control part remembers before it prunes. */
  readonly touched: number;
  /** Tags that an outage of the store may leave to be touched; over it: everything. */
  readonly remembered: number;
  /** Longest time that an entry stays in the store. */
  readonly entryLifeMs: number;
  /** Refreshes under way at once, over all routes. */
  readonly refreshConcurrency: number;
  /** Time for each call of the store. */
  readonly storeBudgetMs: number;
  /** How long SIGTERM waits for what is under way. */
  readonly drainMs: number;
  /** How long a write of unknown outcome is held. */
  readonly quarantineMs: number;
}

export interface Config {
  readonly upstream: UpstreamConfig;
  readonly listen: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number } | 'off';
  readonly store: StoreConfig;
  /** 0: entries are in the store only. */
  readonly memoryBytes: number;
  readonly trustProxy: readonly string[];
  /** Lower-case authorities that clients may name; empty: any. */
  readonly hosts: readonly string[];
  readonly credentials: Credentials;
  readonly mode: Mode;
  readonly clientDirectives: 'honour' | 'ignore';
  readonly workers: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly log: {
    readonly level: LogLevel;
    /** Share of hits that are logged, 0 to 1. */ readonly sample: number;
  };
  readonly fastPath: boolean;
  readonly leaseMs: number;
  readonly writeDeadlineMs: number;
  readonly limits: Limits;
  readonly secret?: string;
  readonly adminToken?: string;
  /** 32 bytes, by which credentials are sealed. */
  readonly credentialsKey?: string;
  readonly conventions: 'rest' | 'off';
  readonly identities: readonly Identity[];
  readonly routes: readonly Route[];
  /** True when the file has no `routes`: every GET is cached as HTTP allows. */
  readonly implicit: boolean;
}

export type Mode = 'on' | 'observe' | 'off';
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** One piece of a path pattern. `rest` is a trailing `*`. */
export type Segment =
  | { readonly kind: 'static'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'rest' };

/** A path of the file with what may be done to it. */
export interface Route {
  readonly pattern: string;
  readonly segments: readonly Segment[];
  /** Names of the parameters in order; a trailing `*` is called `*`. */
  readonly params: readonly string[];
  readonly upstream?: UpstreamConfig;
  /** `GET` and `QUERY`. */
  readonly reads: ReadonlyMap<string, ReadRule>;
  readonly writes: ReadonlyMap<string, WriteRule>;
}

export interface ReadRule {
  readonly pattern: string;
  /** The operator's word over the upstream's freshness; undefined: HTTP's rule. */
  readonly ttlMs?: number;
  readonly negativeTtlMs: number;
  readonly override: ReadonlySet<'no-store' | 'private' | 'set-cookie'>;
  readonly staleWhileRevalidateMs?: number;
  readonly staleIfErrorMs?: number;
  readonly query: 'all' | 'none' | readonly string[];
  /** Lower-case names; undefined when not given. */
  readonly headers?: readonly string[];
  readonly order: 'given' | 'free';
  readonly clientCache: string;
  readonly maxVariants: number;
  /** Shared by all, or kept for each reader apart; undefined: only with who says nothing of it. */
  readonly per?: 'everyone' | readonly Identity[];
  /** The operator's own credential, sent on fills of an answer that all share. */
  readonly service: Fields;
  readonly tags: readonly Template[];
  readonly warm: readonly string[];
  readonly keepFresh: {
    readonly recentMs: number;
    readonly top: number;
    readonly concurrency: number;
  };
  readonly maxBodyBytes: number;
  /** Of whatever decides about an entry: it is in the key, so that a changed rule starts afresh. */
  readonly hash: string;
}

export interface WriteRule {
  readonly pattern: string;
  readonly method: string;
  readonly refresh: readonly Target[];
  readonly purge: readonly Target[];
  readonly wait: boolean;
  readonly waitTimeoutMs: number;
  readonly settleMs: number;
}

/** Text with holes: `author:{response.body.author}`. */
export interface Template {
  readonly text: string;
  readonly parts: readonly TemplatePart[];
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `path` of a value inside a parsed body, or the one name of a parameter, query or field. */
  | {
      readonly kind: 'value';
      readonly from:
        | 'params'
        | 'query'
        | 'request.headers'
        | 'request.body'
        | 'response.body'
        | 'response.headers';
      readonly path: readonly string[];
    };

/** What a write reaches: reads of one route, bound as far as the write can say, or an extra tag. */
export type Target =
  | {
      readonly kind: 'route';
      /** As the file says it. */
      readonly text: string;
      /** The pattern of the route that is named. */
      readonly pattern: string;
      /** For each parameter of that route: any value, or one that is computed. */
      readonly bindings: ReadonlyMap<string, 'any' | Template>;
      /** Given: exactly this variant. */
      readonly query?: Template;
      /** `@self`: only the writer's own. */
      readonly self: boolean;
    }
  | { readonly kind: 'tag'; readonly text: string; readonly tag: Template };
