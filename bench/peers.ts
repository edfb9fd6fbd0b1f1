// Who is measured: everfresh, and what one would choose in its place, each with the configuration
// that its own documentation gives for one core.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { everfresh, keeping } from './everfresh.ts';
import { folderWith, freePort, has, type Open, said, SERVERS, start } from './machine.ts';
import { nginx } from './nginx.ts';

/**
 * `cache`: keeps answers, and asks for them; `passing`: asks, and keeps nothing; `limit`: has one
 * answer, and asks nobody; `variant`: everfresh once more, with another option; `redis`: has
 * everything from Redis.
 */
export type Role = 'cache' | 'passing' | 'limit' | 'variant' | 'redis';

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Why it is not measured. */
  readonly absent?: string;
  readonly role: Role;
  open(to: Opening): Promise<Open>;
}

export interface Opening {
  readonly upstream: number;
  readonly redis: number | undefined;
  /** Of the bodies that limits are to serve. */
  readonly bytes: number;
}

export const MINE = 'everfresh';
export const SLOW_WAY = 'everfresh, fast_path: off';
export const MINE_ON_REDIS = 'everfresh, memory: off';

function script(name: string, { role, file, args }: {
  role: Role; file: string; args: (to: Opening) => readonly string[];
}): Peer {
  const path = fileURLToPath(new URL(`servers/${file}.ts`, import.meta.url));
  return {
    name, version: `Node ${process.versions.node}`, role,
    async open(to) {
      const port = await freePort();
      const command = [process.execPath, path, `${port}`, ...args(to)] as const;
      return { port, running: await start(SERVERS, port, command) };
    },
  };
}

/** Each URL is asked for by name, and none pushes out another: what may be kept is kept. */
export const ROUTES = `limits: { new_variants_per_minute: 1000000000 }
routes:
  "/fresh/*": { GET: { max_variants: 1000000000 } }
  "/slow/*":  { GET: {} }
`;

function mine(name: string, role: Role, more = ''): Peer {
  return {
    name, version: 'this checkout', role,
    open: ({ upstream }) => everfresh({ upstream, rules: `${more}${ROUTES}` }),
  };
}

const mineOnRedis: Peer = {
  name: MINE_ON_REDIS, version: 'this checkout', role: 'redis',
  async open({ upstream, redis, bytes }) {
    const open = await everfresh({
      upstream, rules: `memory: off\n${ROUTES}`, redis: { port: redis!, prefix: 'hit' },
    });
    await keeping(open.port, `/fresh/${bytes}/ready`);
    return open;
  },
};

interface Package {
  readonly program: string;
  readonly pack?: string;
  readonly version: readonly string[];
}

function packaged(
  name: string, { program, pack = program, version }: Package,
  command: (to: Opening & { port: number }) => readonly [string, ...string[]],
): Peer {
  const here = has(program, pack);
  return {
    name, version: here ? said(program, ...version) : '', role: 'cache',
    ...(here ? {} : { absent: `apt-get install ${pack} did not bring it` }),
    async open(to) {
      const port = await freePort();
      return { port, running: await start(SERVERS, port, command({ ...to, port })) };
    },
  };
}

const varnish = (): Peer => packaged(
  'Varnish', { program: 'varnishd', pack: 'varnish', version: ['-V'] },
  (to) => {
    const folder = folderWith({
      'default.vcl': `vcl 4.1;
backend api { .host = "127.0.0.1"; .port = "${to.upstream}"; }
sub vcl_recv { if (req.url ~ "^/private/") { return (pass); } }
`,
    });
    return [
      'varnishd', '-F', '-n', join(folder, 'run'), '-f', join(folder, 'default.vcl'),
      '-a', `127.0.0.1:${to.port}`, '-s', 'malloc,512m', '-p', 'thread_pools=1',
    ];
  },
);

const haproxy = (): Peer => packaged('HAProxy', { program: 'haproxy', version: ['-v'] }, (to) => {
  const folder = folderWith({
    'haproxy.cfg': `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1m
cache kept
  total-max-size 512
  max-object-size 1000000
  max-age 3600
frontend clients
  bind 127.0.0.1:${to.port}
  default_backend api
backend api
  http-request cache-use kept unless { path_beg /private/ }
  http-response cache-store kept
  http-reuse always
  server one 127.0.0.1:${to.upstream}
`,
  });
  return ['haproxy', '-f', join(folder, 'haproxy.cfg')];
});

const trafficServer = (): Peer => packaged(
  'Traffic Server', { program: 'traffic_server', pack: 'trafficserver', version: ['-V'] },
  (to) => {
    const folder = folderWith({
      'etc/records.config': `CONFIG proxy.config.http.server_ports STRING ${to.port}:ip-in=127.0.0.1
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.task_threads INT 1
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.cache.ram_cache.size INT 512M
CONFIG proxy.config.http.insert_response_via_str INT 0
CONFIG proxy.config.diags.logfile.filename STRING diags.log
`,
      'etc/remap.config': `map / http://127.0.0.1:${to.upstream}/\n`,
      'etc/storage.config': '@FOLDER@/cache 256M\n',
      'etc/ip_allow.yaml': 'ip_allow:\n- { apply: in, ip_addrs: 127.0.0.1, action: allow, '
        + 'methods: ALL }\n',
      'cache/none': '', 'log/none': '', 'run/none': '',
      'runroot.yaml': `prefix: @FOLDER@
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: @FOLDER@/etc
datadir: @FOLDER@/cache
localstatedir: @FOLDER@/run
runtimedir: @FOLDER@/run
logdir: @FOLDER@/log
libexecdir: /usr/lib/trafficserver/modules
cachedir: @FOLDER@/cache
`,
    });
    return ['traffic_server', `--run-root=${join(folder, 'runroot.yaml')}`];
  },
);

/** All of them; those that are absent say why. */
export function everybody(redis: number | undefined): Peer[] {
  const needsRedis = (peer: Peer): Peer => (redis === undefined
    ? { ...peer, absent: 'there is no redis-server, and apt-get did not bring it' } : peer);
  const upstreamOf = ({ upstream }: Opening): string => `http://127.0.0.1:${upstream}`;
  return [
    mine(MINE, 'cache'), mine(SLOW_WAY, 'variant', 'fast_path: off\n'),
    packaged('nginx', { program: 'nginx', version: ['-v'] }, nginx),
    varnish(), haproxy(), trafficServer(),
    script('@fastify/http-proxy', {
      role: 'passing', file: 'fastify-proxy', args: (to) => [upstreamOf(to)],
    }),
    script('node:http', { role: 'limit', file: 'bare-http', args: (to) => [`${to.bytes}`] }),
    script('node:http passing', {
      role: 'passing', file: 'bare-http', args: (to) => [`${to.bytes}`, upstreamOf(to)],
    }),
    script('bare sockets', { role: 'limit', file: 'bare-sockets', args: (to) => [`${to.bytes}`] }),
    needsRedis(mineOnRedis),
    needsRedis(script('node:http + ioredis', {
      role: 'redis', file: 'bare-redis', args: (to) => [`${to.bytes}`, `${to.redis}`],
    })),
  ];
}
