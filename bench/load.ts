// Load by wrk, on its own core: so many connections for so long, and what came of it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requests } from './client.ts';
import { folderWith, LOAD, run } from './machine.ts';

export interface Load {
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  /** Field lines of each request. */
  readonly fields?: Readonly<Record<string, string>>;
  /** So many keys, asked for by a Zipf law (exponent 1), in place of one. */
  readonly keys?: number;
  /** The keys stand under so many first segments, in turn. */
  readonly under?: number;
  /** Each request is another one. */
  readonly unique?: boolean;
}

export interface Measured {
  /** In all. */
  readonly requests: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that were none, or of a status from 400 on. */
  readonly errors: number;
}

export interface Round extends Measured {
  /** Requests that the API got meanwhile. */
  readonly asked: number;
}

/** One turn, and what of it reached the API. */
export async function turn(port: number, upstream: number, load: Load): Promise<Round> {
  const before = await requests(upstream);
  const figures = measure(port, load);
  return { ...figures, asked: (await requests(upstream)) - before };
}

/** What of all requests reached the API; so little is one that was counted at one end only. */
export function shareAsked(rounds: readonly Round[]): string {
  const sum = (of: (round: Round) => number): number =>
    rounds.reduce((all, round) => all + of(round), 0);
  const share = sum((round) => round.asked) / sum((round) => round.requests);
  return share < 0.0005 ? '0 %' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

const folder = folderWith({});
let runs = 0;

export function measure(port: number, load: Load): Measured {
  const script = join(folder, 'load.lua');
  writeFileSync(script, lua(load, runs += 1));
  const told = run(LOAD, [
    'wrk', '-t1', `-c${load.connections}`, `-d${load.seconds}s`, '-s', script,
    `http://127.0.0.1:${port}${load.path}`,
  ]);
  const found = /^MEASURED (\S+) (\S+) (\S+) (\S+) (\S+)$/m.exec(told);
  if (found === null) throw new Error(`wrk said nothing that can be read: ${told}`);
  const [requests = 0, perSecond = 0, p50 = 0, p99 = 0, errors = 0] = found.slice(1).map(Number);
  return { requests, perSecond, p50, p99, errors };
}

function lua({ path, fields = {}, keys, under, unique }: Load, serial: number): string {
  const headers = Object.entries(fields)
    .map(([name, value]) => `wrk.headers["${name}"] = '${value}'`).join('\n');
  const one = 'function request() return same end\nfunction init() same = wrk.format() end';
  const each = `local n = 0
function request() n = n + 1; return wrk.format(nil, "${path}/${serial}-" .. n) end`;
  const segment = under === undefined ? '""' : `(k % ${under}) .. "/"`;
  // The k-th key is asked for about 1/k times as often as the first: by the inverse of the sum.
  const zipf = `local made = {}
function init()
  math.randomseed(7)
  for k = 1, ${keys} do made[k] = wrk.format(nil, "${path}/" .. ${segment} .. k) end
end
function request()
  local k = math.floor(math.exp(math.random() * math.log(${keys} + 1)))
  return made[math.min(math.max(k, 1), ${keys})]
end`;
  return `${headers}
${unique === true ? each : keys === undefined ? one : zipf}
function done(summary, latency)
  local e = summary.errors
  print(string.format("MEASURED %d %.1f %.4f %.4f %d", summary.requests,
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}
