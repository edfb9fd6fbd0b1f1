// The API of the examples: a real json-server in a process of its own, with a delay and with a copy
// of db.json in a folder that goes away with it. Run by itself, `node examples/api.ts [PORT]`, it
// serves until Ctrl-C.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answers, start } from './process.ts';

export interface Api {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the API on a port of the loopback that is free, and comes back when it answers. */
export async function startApi(port: number, delayMs: number): Promise<Api> {
  const folder = await mkdtemp(join(tmpdir(), 'everfresh-api-'));
  const db = join(folder, 'db.json');
  await cp(new URL('./db.json', import.meta.url), db);

  const program = fileURLToPath(import.meta.resolve('json-server/lib/cli/bin.js'));
  const child = start('the API', [
    program, '--host', '127.0.0.1', '--port', `${port}`, '--delay', `${delayMs}`, '--quiet',
    '--snapshots', folder, db,
  ]);
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers(`${url}/profile`, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

if (import.meta.main) {
  const api = await startApi(Number(process.argv[2] ?? 3000), 300);
  console.log(`${api.url}/posts, slow by 300 ms, until Ctrl-C`);
  const stop = (): void => void api.stop().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
