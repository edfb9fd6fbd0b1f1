// A Node that is too old is told as such.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { tooOld } from '../../src/cli/node.ts';

t.test('the least Node is the one that package.json names', (t) => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { engines } = JSON.parse(text) as { engines: { node: string } };
  const least = /^>=(\d+)\.(\d+)$/.exec(engines.node)!;
  const [major, minor] = [Number(least[1]), Number(least[2])];
  for (const fits of [`${major}.${minor}.0`, `${major}.${minor + 1}.3`, `${major + 1}.0.0`]) {
    t.equal(tooOld(fits), undefined, fits);
  }
  for (const old of [`${major}.${minor - 1}.9`, `${major - 1}.99.0`, '20.20.2', '']) {
    t.match(tooOld(old), /^everfresh needs Node \d+\.\d+ or later; this is /, old);
  }
  t.end();
});
