// Durations and sizes: each unit, what is refused, and that printing and reading agree.
import t from 'tap';
import { printDuration, printSize, readDuration, readSize } from '../../src/core/units.ts';

t.test('each unit of time is read as milliseconds', async (t) => {
  const cases: [string, number][] = [
    ['0', 0], ['500ms', 500], ['30s', 30_000], ['5m', 300_000], ['1h', 3_600_000],
    ['1d', 86_400_000], ['0s', 0],
  ];
  for (const [text, ms] of cases) t.equal(readDuration(text), ms, text);
});

t.test('each unit of size is read as bytes', async (t) => {
  const cases: [string, number][] = [
    ['0', 0], ['512b', 512], ['64kb', 65_536], ['4mb', 4_194_304], ['1gb', 1_073_741_824],
  ];
  for (const [text, bytes] of cases) t.equal(readSize(text), bytes, text);
});

t.test('what is neither a duration nor a size is refused', async (t) => {
  const none = ['', '5', '-1s', '1.5h', '1H', '1 h', '1w', 'h', '1h30m', '99999999999999d', '1s\n'];
  for (const text of none) t.equal(readDuration(text), undefined, text);
  for (const text of ['', '5', '-1kb', '1.5mb', '4MB', '1k', '1tb', '999999999999999gb']) {
    t.equal(readSize(text), undefined, text);
  }
});

t.test('a printed value is short, and is read as the same', async (t) => {
  t.equal(printDuration(0), '0');
  t.equal(printDuration(90_000), '90s');
  t.equal(printDuration(1501), '1501ms');
  t.equal(printDuration(172_800_000), '2d');
  t.equal(printSize(65_536), '64kb');
  t.equal(printSize(1025), '1025b');
  for (const amount of [1, 999, 1000, 60_000, 61_000, 86_400_000, 1024 ** 3, 5_000_000]) {
    t.equal(readDuration(printDuration(amount)), amount);
    t.equal(readSize(printSize(amount)), amount);
  }
});
