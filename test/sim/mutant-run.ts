// One mutant in a process of its own: the production code as it is, but for one place that is
// changed while it is loaded. Prints the first history that finds it out.
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutant-list.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Says whether it has been carried out. */
function mutate(name: string): () => boolean {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  const { file, changes } = mutant;
  let done = false;
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.startsWith('file:') || fileURLToPath(url) !== root + file) return loaded;
      const text = Buffer.from(loaded.source as Uint8Array).toString();
      done = true;
      return { ...loaded, source: changes.reduce((before, [find, replace]) => {
        if (before.split(find).length !== 2) throw new Error(`${name}: ${file} has changed`);
        return before.replace(find, () => replace);
      }, text) };
    },
  });
  return () => done;
}

const { values } = parseArgs({ options: {
  name: { type: 'string' }, histories: { type: 'string', default: '1' },
  seed: { type: 'string', default: '1' }, faults: { type: 'string' },
  without: { type: 'string' }, trace: { type: 'boolean', default: false },
} });
const mutated = values.name === undefined ? () => true : mutate(values.name);
const { history } = await import('./history.ts');
const { faultNamed, FAULTS } = await import('./faults.ts');
if (!mutated()) throw new Error('nothing was changed');
const without = values.without?.split(',') ?? [];
const faults = values.faults === undefined
  ? FAULTS.filter(({ name }) => !without.includes(name))
  : values.faults.split(',').filter((name) => name !== '').map(faultNamed);
const first = Number(values.seed);
const end = first + Number(values.histories);
let caught: unknown;
for (let seed = first; seed < end && caught === undefined; seed += 1) {
  const told = await history({ seed, faults, traced: values.trace });
  if (values.trace) console.error(told.trace.join('\n'));
  const [violation] = told.violations;
  if (violation === undefined) continue;
  caught = { seed, after: seed - first + 1, faults: told.faults, what: violation.what };
}
console.log(JSON.stringify(caught ?? null));
