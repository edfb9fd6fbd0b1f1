// Whoever breaks the promise is found out: each mutant by the faults that are named with it,
// within a few histories from the seed that found it first.
import t from 'tap';
import { FAULTS } from './faults.ts';
import { MUTANTS, WITHOUT_ONE } from './mutant-list.ts';
import { inTurns, search } from './mutants.ts';

const HISTORIES = 400;

t.setTimeout(600_000);

t.test('each mutant of the protocol is found out', async (t) => {
  await inTurns(MUTANTS, 2, async (mutant) => {
    const { name, by: faults, seed } = mutant;
    const caught = await search(mutant, { seed, histories: HISTORIES, faults });
    t.ok(caught, `${name}, by ${faults.join() || 'no fault'}: ${caught?.what ?? 'not found out'}`);
  });
});

t.test('each kind of fault finds out what no other does, or it is said why not', async (t) => {
  const proven = new Set(MUTANTS.map(({ onlyWith }) => onlyWith));
  for (const { name } of FAULTS) {
    const reason = WITHOUT_ONE[name];
    t.equal(proven.has(name), reason === undefined, `${name}: ${reason ?? 'it has one'}`);
  }
});
