// The table of docs/security.md and the tests beside this file say the same, row by row.
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

interface Row {
  readonly row: string;
  readonly text: string;
}

const number = ({ row }: Row): number => Number(row.slice(1));
const inOrder = (rows: Row[]): Row[] => rows.sort((a, b) => number(a) - number(b));

const documented = [...read('../../docs/security.md').matchAll(/^\| ([A-H]\d+) \| (.+) \|$/gm)]
  .map(([, row, text]) => ({ row: row!, text: text!.replace(' | ', ': ') }));

const tested = inOrder(readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) => [...read(file).matchAll(/^t\.test\(\s*'([A-H]\d+) (.+?)',/gm)])
  .map(([, row, text]) => ({ row: row!, text: text! })));

t.test('every row of the table is a test of the same words, and the other way round', async (t) => {
  t.same(inOrder([...documented]), tested);
});

t.test('no row is missing and none stands twice', async (t) => {
  const range = (letter: string, from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, i) => `${letter}${from + i}`);
  t.same(documented.map(({ row }) => row), [
    ...range('A', 1, 18), ...range('B', 19, 32), ...range('C', 33, 49), ...range('D', 50, 55),
    ...range('E', 56, 66), ...range('F', 67, 73), ...range('G', 74, 76), ...range('H', 77, 150),
  ]);
});
