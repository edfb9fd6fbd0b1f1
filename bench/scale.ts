// How everfresh behaves as things get many: routes, entries, variants that one write reaches.
import type { Bench } from './bench.ts';
import { entries } from './scale-entries.ts';
import { memory } from './scale-memory.ts';
import { routes } from './scale-routes.ts';
import { touches } from './scale-touch.ts';
import type { Section } from './section.ts';

export async function scale(bench: Bench): Promise<Section> {
  const parts: Omit<Section, 'name'>[] = [];
  for (const [name, part] of Object.entries({ routes, entries, memory, touches })) {
    bench.say(`  ${name}`);
    parts.push(await part(bench));
  }
  return {
    name: 'scale',
    about: parts.map(({ about }) => about).join('\n\n'),
    tables: parts.flatMap(({ tables }) => tables),
    wanted: parts.flatMap(({ wanted }) => wanted),
    data: parts.map(({ data }) => data),
  };
}
