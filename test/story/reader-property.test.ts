// Twenty users on two instances that share a Redis, at random: whatever they are given is theirs,
// and is never older than what was answered before they asked.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const SEED = 20_261_127;
const ANSWERS = 100_000;

t.setTimeout(300_000);

t.test(`${ANSWERS} answers: none crossed, none stale, none after its logout`, async (t) => {
  const program = fileURLToPath(new URL('reader-run.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath, [program, String(SEED), String(ANSWERS)], { timeout: 280_000 });
  const told = JSON.parse(stdout) as Record<string, number> & { wrong: string[] };
  t.comment(stdout);
  t.same(told.wrong, []);
  t.same(told['assertions'], []);
  const { reads, hits, refused, writes, logins } = told;
  t.ok(reads! >= ANSWERS && hits! > ANSWERS / 4, `${hits} hits of ${reads}`);
  t.ok(refused! > 20 && writes! > 200 && logins! > 50, `${refused} ${writes} ${logins}`);
});
