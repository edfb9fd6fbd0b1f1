// The program of a worker: one instance of several, started by `everfresh serve` where `workers` is
// over 1, and by nobody else.
import { serveAsWorker } from './compose/worker.ts';
import { pipeToPrimary } from './io/workers.ts';

const fault = (error: unknown): void => {
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`worker ${process.pid}: ${said}\n`);
};

const pipe = pipeToPrimary();
if (pipe === undefined) {
  process.stderr.write('a worker is started by `everfresh serve`, not by hand\n');
  process.exit(2);
}
const worker = serveAsWorker(pipe, { pid: process.pid, env: process.env, fault });
process.on('SIGTERM', () => worker.drain());
// A terminal sends these to the whole group of processes; the primary says what becomes of them.
process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);
process.exit(await worker.ended);
