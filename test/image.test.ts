// The container image without a container: each instruction of the Dockerfile is carried out as a
// plain command on a clean copy, stage by stage, with nothing at hand but what it copies; then what
// stands in the last stage is started and asked. An instruction that is not known fails the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, matchesGlob, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { answers, freePort, start } from '../examples/process.ts';
import { startRedis } from './redis.ts';

t.setTimeout(600_000);

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

interface Stage {
  readonly name: string;
  /** The folder that is its `/`. */
  readonly folder: string;
  workdir: string;
  readonly env: Record<string, string>;
  /** Instructions that only say how it is to be run. */
  readonly said: Map<string, string>;
}

function instructions(): { word: string; rest: string }[] {
  const lines = read('Dockerfile').replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ').split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => {
    const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    return { word, rest: rest.trim() };
  });
}

/** This environment, without what npm and tap have put in for this very test. */
function cleanEnv(): NodeJS.ProcessEnv {
  const ours = new RegExp('^(_?TAP|NODE_(OPTIONS|ENV)$|INIT_CWD|EVERFRESH_'
    + '|npm_(lifecycle|package|command|config_local_prefix))');
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
  env['PATH'] = `${dirname(process.execPath)}${delimiter}${env['PATH'] ?? ''}`;
  return env;
}

async function run(command: string, cwd: string): Promise<{ code: number | null; said: string }> {
  const child = spawn('sh', ['-c', command], {
    cwd, env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text; });
  const [code] = await once(child, 'close') as [number | null];
  return { code, said };
}

/** What `docker build .` would be given: everything that .dockerignore does not leave out. */
function cleanCopy(to: string): void {
  const ignored = read('.dockerignore').split('\n').filter((line) => line !== '');
  cpSync(root, to, {
    recursive: true,
    filter: (path) => !ignored.some((pattern) => matchesGlob(basename(path), pattern)),
  });
}

/** COPY, for files and whole folders. */
function copy(stage: Stage, rest: string, places: ReadonlyMap<string, string>): void {
  const [, flag, paths = ''] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(rest) ?? [];
  const from = places.get(flag ?? 'context');
  if (from === undefined) throw new Error(`COPY from the unknown stage ${flag}`);
  const names = paths.split(/\s+/);
  const last = names.pop() ?? '';
  const to = join(stage.folder, resolve(stage.workdir, last));
  for (const name of names) {
    const source = join(from, name);
    const isInto = last.endsWith('/') && !statSync(source).isDirectory();
    cpSync(source, isInto ? join(to, basename(name)) : to, {
      recursive: true, verbatimSymlinks: true,
    });
  }
}

/** Carries the Dockerfile out below `folder`; returns its last stage. */
async function build(folder: string, ran: (command: string) => void): Promise<Stage> {
  const places = new Map([['context', join(folder, 'context')]]);
  cleanCopy(join(folder, 'context'));
  let stage: Stage | undefined;
  for (const { word, rest } of instructions()) {
    if (word === 'FROM') {
      const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'last';
      stage = { name, folder: join(folder, name), workdir: '/', env: {}, said: new Map() };
      places.set(name, stage.folder);
      stage.said.set('FROM', rest);
      continue;
    }
    if (stage === undefined) throw new Error(`${word} before FROM`);
    if (word === 'WORKDIR') {
      stage.workdir = rest;
      mkdirSync(join(stage.folder, rest), { recursive: true });
    } else if (word === 'ENV') {
      const [name = '', value = ''] = rest.split('=', 2);
      stage.env[name] = value;
    } else if (word === 'COPY') {
      copy(stage, rest, places);
    } else if (word === 'RUN') {
      const { code, said } = await run(rest, join(stage.folder, stage.workdir));
      ran(rest);
      if (code !== 0) throw new Error(`RUN ${rest} ended with ${code}\n${said}`);
    } else if (/^(USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)$/.test(word)) {
      stage.said.set(word, rest);
    } else {
      throw new Error(`an instruction that this test does not know: ${word}`);
    }
  }
  if (stage === undefined) throw new Error('a Dockerfile without a stage');
  return stage;
}

/** The words of an instruction in its JSON form. */
function words(stage: Stage, instruction: string): string[] {
  return JSON.parse(/\[.*\]/.exec(stage.said.get(instruction) ?? '')?.[0] ?? '[]') as string[];
}

const BIG_BYTES = 2 * 2 ** 30;
const CHUNK = Buffer.alloc(2 ** 18, 'everfresh ');

/** So many bytes, made as they are asked for. */
function big(): Readable {
  return Readable.from((function* flood(): Generator<Buffer> {
    for (let sent = 0; sent < BIG_BYTES; sent += CHUNK.length) yield CHUNK;
  })(), { objectMode: false });
}

async function counted(source: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of source) bytes += chunk.length;
  return bytes;
}

/** The most that was ever resident of a process, in MB; 0 where that can't be known. */
function peakOf(pid: number | undefined): number {
  if (process.platform !== 'linux') return 0;
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(found![1]) / 1024);
}

/** An upstream that counts what reaches it, and has something big. */
async function upstream(): Promise<{ url: string; asked: () => number; close: () => void }> {
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.method === 'PUT') {
      void counted(request as AsyncIterable<Buffer>).then((bytes) => response.end(String(bytes)));
    } else if (request.url === '/big') {
      response.writeHead(200, { 'Content-Length': BIG_BYTES });
      void pipeline(big(), response).catch(() => undefined);
    } else {
      asked++;
      response.setHeader('Cache-Control', 'max-age=60').end(`answer ${asked}`);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, asked: () => asked, close };
}

t.test('the image is built by its own steps, runs, and ends when asked', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'everfresh-image-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const commands: string[] = [];
  const stage = await build(folder, (command) => commands.push(command));
  t.ok(commands.some((command) => command.startsWith('npm ci')), 'dependencies are those locked');
  t.match(stage.said.get('USER'), /^[1-9]\d*:[1-9]\d*$/, 'by number, so that it is known not root');
  t.equal(stage.said.get('STOPSIGNAL'), 'SIGTERM');
  t.equal(stage.said.get('EXPOSE'), '8080 8081');
  t.equal(stage.env['EVERFRESH_LISTEN'], '0.0.0.0:8080');
  t.throws(() => statSync(join(stage.folder, 'app/node_modules/typescript')), 'no tools in it');
  t.ok(statSync(join(stage.folder, 'app/dist/main.js')).mode & 0o100, 'the program can be run');

  const origin = await upstream();
  t.teardown(origin.close);
  const [node, ...args] = [...words(stage, 'ENTRYPOINT'), ...words(stage, 'CMD')]
    .map((word) => (word.startsWith('/') ? join(stage.folder, word) : word));
  t.equal(node, 'node');
  const [listen, admin] = [await freePort(0), await freePort(0)];
  const gateway = start('the gateway', args, {
    cwd: join(stage.folder, stage.workdir),
    env: {
      ...cleanEnv(), ...stage.env,
      EVERFRESH_UPSTREAM: origin.url,
      EVERFRESH_LISTEN: `127.0.0.1:${listen}`,
      EVERFRESH_ADMIN: `127.0.0.1:${admin}`,
    },
  });
  t.teardown(() => gateway.stop());
  await answers(`http://127.0.0.1:${admin}/readyz`, gateway);

  const healthy = (): Promise<string> => {
    const [, flag = '', code = ''] = words(stage, 'HEALTHCHECK');
    return start('the health check', [flag, code.replace(':8081', `:${admin}`)]).exited;
  };
  t.equal(await healthy(), '0', 'the health check is content');

  const [miss, hit] = [await ask(listen), await ask(listen)];
  t.match(miss, { status: 200, text: 'answer 1', cache: /everfresh; fwd=uri-miss; stored/ });
  t.match(hit, { status: 200, text: 'answer 1', cache: /everfresh; hit/ });
  t.equal(origin.asked(), 1, 'the upstream is asked once');

  t.equal(await down(listen), BIG_BYTES, 'two gigabytes come');
  t.equal(await up(listen), String(BIG_BYTES), 'and go');
  const peak = peakOf(gateway.pid);
  t.ok(peak < 180, `through a process of ${peak} MB`);

  await gateway.stop();
  t.equal(gateway.ended(), '0', `SIGTERM ends it well\n${gateway.said()}`);
  t.equal(await healthy(), '1', 'the health check says that it is gone');

  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const several = start('several workers', args, {
    cwd: join(stage.folder, stage.workdir),
    env: {
      ...cleanEnv(), ...stage.env,
      EVERFRESH_UPSTREAM: origin.url,
      EVERFRESH_LISTEN: `127.0.0.1:${listen}`,
      EVERFRESH_ADMIN: `127.0.0.1:${admin}`,
      EVERFRESH_STORE: redis.url,
      EVERFRESH_WORKERS: '2',
    },
  });
  t.teardown(() => several.stop());
  await answers(`http://127.0.0.1:${admin}/readyz`, several);
  t.match(await ask(listen), { status: 200, cache: /everfresh; / });
  t.equal(await healthy(), '0', 'the health check is content with several workers too');
  await several.stop();
  t.equal(several.ended(), '0', `SIGTERM ends them well\n${several.said()}`);
});

async function down(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/big`);
  return counted(response.body as unknown as AsyncIterable<Uint8Array>);
}

function up(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const put = request({ host: '127.0.0.1', port, method: 'PUT', path: '/big' }, (response) => {
      text(response).then(resolve, reject);
    });
    put.on('error', reject);
    pipeline(big(), put).catch(reject);
  });
}

async function ask(port: number): Promise<{ status: number; text: string; cache: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}/posts`);
  const cache = response.headers.get('cache-status');
  return { status: response.status, text: await response.text(), cache };
}

t.test('the deployments speak of the image as it is', async (t) => {
  const compose = parse(read('compose.yaml')) as {
    services: Record<string, { ports?: string[]; volumes?: string[]; healthcheck?: object }>;
  };
  t.same(Object.keys(compose.services).sort(), ['api', 'everfresh', 'redis']);
  t.match(compose.services['everfresh']?.ports, [/:8080$/]);
  for (const volume of Object.values(compose.services).flatMap(({ volumes }) => volumes ?? [])) {
    t.ok(statSync(join(root, volume.split(':')[0] ?? '')).isFile(), `${volume} is there`);
  }

  const kinds = parseAllDocuments(read('deploy/kubernetes.yaml')).map((document) => {
    t.same(document.errors, []);
    return document.toJS() as { kind: string };
  });
  t.same(kinds.map(({ kind }) => kind), ['ConfigMap', 'Service', 'Deployment']);
  t.match(kinds[2], { spec: { template: { spec: {
    securityContext: { runAsNonRoot: true },
    containers: [{ name: 'api' }, {
      name: 'everfresh',
      ports: [{ containerPort: 8080 }, { containerPort: 8081 }],
      readinessProbe: { httpGet: { path: '/readyz' } },
      livenessProbe: { httpGet: { path: '/healthz' } },
    }],
  } } } });
});
