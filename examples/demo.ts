// `npm run demo`: a slow API that nobody here wrote, the gateway in front of it, and a walk that
// shows what becomes of reads and writes. Stays up to be tried until Ctrl-C; with `--exit` it ends
// after the walk, with 1 if a step was not as stated. With `--free-ports` it takes any ports.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startApi } from './api.ts';
import { answers, freePort, start } from './process.ts';
import { walk } from './walk.ts';
import type { Reply, Step } from './walk.ts';

const DELAY_MS = 300;
const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface Stage {
  readonly api: string;
  readonly gateway: string;
  readonly admin: string;
  stop(): Promise<void>;
}

async function setUp(anyPorts: boolean): Promise<Stage> {
  const port = (wanted: number): Promise<number> => freePort(anyPorts ? 0 : wanted);
  const api = await startApi(await port(3000), DELAY_MS);
  const listen = `127.0.0.1:${await port(8080)}`;
  const admin = `127.0.0.1:${await port(8081)}`;
  const gateway = start('the gateway', [
    path('../src/main.ts'), 'serve', '--config', path('demo.yaml'), '--upstream', api.url,
    '--listen', listen, '--admin', admin, '--store', 'memory',
  ]);
  const stop = async (): Promise<void> => {
    await gateway.stop();
    await api.stop();
  };
  try {
    await answers(`http://${admin}/readyz`, gateway);
  } catch (error) {
    await stop();
    throw error;
  }
  return { api: api.url, gateway: `http://${listen}`, admin: `http://${admin}`, stop };
}

const COLUMNS = [6, 10, 6, 7] as const;

function row(cells: readonly [string, string, string, string, string]): string {
  const [method, target, code, ms, cache] = cells;
  const [a, b, c, d] = COLUMNS;
  return `${method.padEnd(a)}  ${target.padEnd(b)}${code.padStart(c)}${ms.padStart(d)}  ${cache}`;
}

function tell(step: Step, reply: Reply, wrong: string | undefined): void {
  const ms = reply.ms.toFixed(reply.ms < 10 ? 1 : 0);
  console.log(row([step.method, step.path, `${reply.status}`, ms, reply.cache]));
  console.log(`        ${step.sentence}`);
  if (wrong !== undefined) console.log(`        NOT SO: expected ${wrong}`);
}

function invite({ gateway, admin }: Stage): void {
  console.log(`
Try it; it stays up until Ctrl-C:
  curl -i ${gateway}/posts
  curl -i ${gateway}/posts -H 'content-type: application/json' -d '{"title":"Mine"}'
  curl -i ${gateway}/posts
  curl -i ${gateway}/profile -X PUT -H 'content-type: application/json' -d '{"name":"me"}'
  curl '${admin}/explain?method=POST&url=/posts'
  curl ${admin}/metrics`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { 'exit': { type: 'boolean' }, 'free-ports': { type: 'boolean' } },
  });
  const asked = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.resolve());
  const stage = await setUp(values['free-ports'] === true);
  try {
    console.log(`API      ${stage.api}  json-server, slow by ${DELAY_MS} ms`);
    console.log(`gateway  ${stage.gateway}  routes: examples/demo.yaml`);
    console.log(`admin    ${stage.admin}\n`);
    console.log(row(['', '', 'status', 'ms', 'Cache-Status']));
    const walking = walk({ url: stage.gateway, delayMs: DELAY_MS, told: tell });
    const done = await Promise.race([walking, asked.promise]);
    if (done === undefined) return;
    console.log(`\n${done.steps - done.wrong} of ${done.steps} steps went as stated`);
    if (done.wrong > 0) process.exitCode = 1;
    if (values.exit === true) return;
    invite(stage);
    await asked.promise;
  } finally {
    await stage.stop();
  }
}

await main();
