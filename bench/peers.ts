// Who is measured: everfresh, and what one would choose in its place, each with the configuration
// that its own documentation gives for one core.
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, has, type Running, said, SERVERS, start } from './machine.ts';

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Why it is not measured. */
  readonly absent?: string;
  /** What it can do: keep answers, or only pass them on. */
  readonly keeps: boolean;
  open(to: Opening): Promise<{ readonly port: number; readonly running: Running }>;
}

export interface Opening {
  readonly upstream: number;
  /** Of the bodies that limits are to serve. */
  readonly bytes: number;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const node = process.execPath;

/** A folder with the files of one server, where everybody may write. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'everfresh-bench-'));
  chmodSync(folder, 0o777);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll('@FOLDER@', folder));
  }
  return folder;
}

function script(name: string, version: string, of: {
  keeps: boolean; args: (to: Opening) => readonly string[];
}): Peer {
  const program = name.replace('@', '').replace('/', '-');
  return {
    name, version, keeps: of.keeps,
    async open(to) {
      const port = await freePort();
      const file = here(`servers/${FILES[program]!}.ts`);
      return { port, running: await start(SERVERS, port, [node, file, `${port}`, ...of.args(to)]) };
    },
  };
}

const FILES: Readonly<Record<string, string>> = {
  'node:http': 'bare-http', 'node:http passing': 'bare-http', 'bare sockets': 'bare-sockets',
  'fastify-http-proxy': 'fastify-proxy',
};

function everfresh(name: string, more: string): Peer {
  return {
    name, version: 'this checkout', keeps: true,
    async open({ upstream }) {
      const port = await freePort();
      const folder = folderWith({
        'routes.yaml': `upstream: http://127.0.0.1:${upstream}\nlisten: 127.0.0.1:${port}\n`
          + `admin: off\nlog: { level: warn }\n${more}`,
      });
      const main = here('../dist/main.js');
      return {
        port,
        running: await start(SERVERS, port, [
          node, main, 'serve', '--config', join(folder, 'routes.yaml'),
        ]),
      };
    },
  };
}

const ROUTES = `routes:
  "/fresh/*": { GET: {} }
  "/slow/*":  { GET: {} }
`;

function packaged(
  name: string, { program, pack = program, version }: {
    program: string; pack?: string; version: readonly string[];
  }, command: (to: Opening & { port: number }) => readonly [string, ...string[]],
): Peer {
  const here = has(program, pack);
  return {
    name, version: here ? said(program, ...version) : '', keeps: true,
    ...(here ? {} : { absent: `apt-get install ${pack} did not bring it` }),
    async open(to) {
      const port = await freePort();
      return { port, running: await start(SERVERS, port, command({ ...to, port })) };
    },
  };
}

const nginx = (): Peer => packaged('nginx', { program: 'nginx', version: ['-v'] }, (to) => {
  const folder = folderWith({
    'nginx.conf': `daemon off;
master_process off;
worker_processes 1;
pid @FOLDER@/pid;
error_log @FOLDER@/error.log crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path @FOLDER@/body;
  proxy_temp_path @FOLDER@/proxy;
  fastcgi_temp_path @FOLDER@/fastcgi;
  uwsgi_temp_path @FOLDER@/uwsgi;
  scgi_temp_path @FOLDER@/scgi;
  proxy_cache_path @FOLDER@/cache levels=1:2 keys_zone=kept:64m max_size=2g;
  upstream api { server 127.0.0.1:${to.upstream}; keepalive 128; }
  server {
    listen 127.0.0.1:${to.port} backlog=4096;
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache kept;
      proxy_cache_lock on;
    }
    location /private/ {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`,
    'cache/none': '',
  });
  return ['nginx', '-c', join(folder, 'nginx.conf'), '-p', folder];
});

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

/** All of them; those that are absent say so. */
export function everybody(): Peer[] {
  const version = `Node ${process.versions.node}`;
  return [
    everfresh('everfresh', ROUTES), nginx(), varnish(), haproxy(), trafficServer(),
    script('@fastify/http-proxy', version, {
      keeps: false, args: (to) => [`http://127.0.0.1:${to.upstream}`],
    }),
    script('node:http', version, { keeps: true, args: (to) => [`${to.bytes}`] }),
    script('node:http passing', version, {
      keeps: false, args: (to) => [`${to.bytes}`, `http://127.0.0.1:${to.upstream}`],
    }),
    script('bare sockets', version, { keeps: true, args: (to) => [`${to.bytes}`] }),
  ];
}
