// nginx as one worker with a cache on disk, by the configuration that its documentation gives.
import { join } from 'node:path';
import { folderWith } from './machine.ts';

export interface Nginx {
  readonly port: number;
  readonly upstream: number;
  /** More lines of the location that is cached. */
  readonly location?: string;
}

export function nginx({ port, upstream, location = '' }: Nginx): [string, ...string[]] {
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
  upstream api { server 127.0.0.1:${upstream}; keepalive 128; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache kept;
      proxy_cache_lock on;
      ${location}
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
}
