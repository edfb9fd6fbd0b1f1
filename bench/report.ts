// The figures as a page: who was measured, what is wanted and what was seen, and the tables of each
// scenario.
import { cpus } from 'node:os';
import type { Peer } from './peers.ts';
import type { Section, Table, Wanted } from './section.ts';

export interface Results {
  readonly peers: readonly Pick<Peer, 'name' | 'version' | 'absent'>[];
  readonly sections: readonly Section[];
  readonly rounds: number;
  readonly seconds: number;
}

const SHORT = '**falls short**';

export function report({ peers, sections, rounds, seconds }: Results): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown';
  const lines = [
    '# Speed', '',
    'Written by `npm run bench`. Every server has the same single core of one machine; the load',
    '(`wrk`, one thread, or the bench itself), the API behind the servers and Redis share the',
    'other. All servers of a scenario are up at once, and take turns in each round.',
    `${rounds} rounds of ${seconds} s where nothing else is said; a figure is the median of them,`,
    'with the lowest and the highest beside it. `×` is everfresh divided by the other, round by',
    'round, and again the median: ratios of one run can be compared, absolute numbers of two',
    'machines, or of two days, cannot.', '',
    `Measured on ${cpus().length} cores (${model}), Node ${process.versions.node}.`, '',
    ...peers.map(({ name, version, absent }) =>
      `- ${name}: ${absent === undefined ? version : `not measured (${absent})`}`),
    '', ...summary(sections),
    ...sections.flatMap(told),
  ];
  return `${lines.join('\n')}\n`;
}

/** What falls short stands before everything else. */
function summary(sections: readonly Section[]): string[] {
  const all = sections.flatMap(({ name, wanted }) => wanted.map((one) => ({ name, one })));
  const short = all.filter(({ one }) => one.reached === false);
  const reached = all.filter(({ one }) => one.reached === true).length;
  const first = `Of the ${all.length} aims below ${reached} are reached`;
  if (short.length === 0) return [`${first}, and none falls short.`];
  return [
    `${first}, and these are not:`, '',
    ...short.map(({ name, one }) =>
      `- [${name}](#${name}): ${one.what}: wanted ${one.wanted}, seen ${one.seen}`),
  ];
}

function told({ name, about, tables, wanted, picture }: Section): string[] {
  const lines = ['', `## ${name}`, '', about];
  if (picture !== undefined) lines.push('', `![${picture.alt}](${picture.file})`);
  for (const table of tables) lines.push('', ...markdown(table));
  if (wanted.length === 0) return lines;
  const head = ['', 'wanted', 'seen', ''];
  return [...lines, '', ...markdown({ head, rows: wanted.map(row) })];
}

function row({ what, wanted, seen, reached }: Wanted): string[] {
  if (reached === undefined) return [what, wanted, 'not measured', ''];
  return [what, wanted, seen, reached ? 'reached' : SHORT];
}

function markdown({ head, rows }: Table): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
