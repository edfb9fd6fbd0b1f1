// What the tests of the core use of tap, as little as that: a test is a function that throws at its
// first failure. It notes tests instead of running them, so that they can be run again and again in
// one process. Where it is not as strict as tap, a mutant survives that tap would have killed.
import loosely, { strict as assert } from 'node:assert';

type Body = (t: Checks) => unknown;

export interface Noted {
  readonly id: string;
  readonly file: string;
  readonly name: string;
  readonly body: Body;
}

let file = '';
let noted: Noted[] = [];

/** The tests that are noted from here on are this file's, and no others. */
export function begin(path: string): void {
  file = path;
  noted = [];
}

export function taken(): readonly Noted[] {
  return noted;
}

/** Throws where the test fails. */
export async function run(body: Body): Promise<void> {
  const checks = new Checks();
  try {
    await body(checks);
    await checks.inner();
  } finally {
    await checks.tearDown();
  }
}

class Checks {
  readonly #inner: (() => Promise<void>)[] = [];
  readonly #after: (() => unknown)[] = [];

  async inner(): Promise<void> {
    for (const one of this.#inner) await one();
  }

  async tearDown(): Promise<void> {
    for (const one of this.#after) await one();
  }

  test(_name: string, body: Body): Promise<void> {
    const once = run(body);
    this.#inner.push(() => once);
    return once;
  }

  end(): void {}

  comment(): void {}

  teardown(after: () => unknown): void {
    this.#after.push(after);
  }

  ok(value: unknown): void {
    assert.ok(value);
  }

  notOk(value: unknown): void {
    assert.ok(!value);
  }

  equal(found: unknown, wanted: unknown): void {
    assert.ok(Object.is(found, wanted) || found === wanted, `${String(found)} is not as wanted`);
  }

  not(found: unknown, other: unknown): void {
    assert.ok(!Object.is(found, other));
  }

  same(found: unknown, wanted: unknown): void {
    loosely.deepEqual(found, wanted);
  }

  strictSame(found: unknown, wanted: unknown): void {
    assert.deepStrictEqual(found, wanted);
  }

  match(found: unknown, wanted: unknown): void {
    if (wanted instanceof RegExp) assert.match(String(found), wanted);
    else if (typeof wanted === 'string') assert.ok(String(found).includes(wanted));
    else if (typeof wanted !== 'object' || wanted === null) assert.equal(found, wanted);
    else {
      assert.ok(typeof found === 'object' && found !== null);
      for (const [name, part] of Object.entries(wanted)) {
        this.match((found as Record<string, unknown>)[name], part);
      }
    }
  }

  notMatch(found: unknown, wanted: RegExp): void {
    assert.doesNotMatch(String(found), wanted);
  }

  throws(does: () => unknown, wanted?: object): void {
    if (wanted === undefined) assert.throws(does);
    else assert.throws(does, wanted);
  }

  async rejects(does: Promise<unknown> | (() => Promise<unknown>)): Promise<void> {
    await assert.rejects(does);
  }

  fail(why = 'it fails'): void {
    assert.fail(why);
  }

  pass(): void {}
}

class Root extends Checks {
  override test(name: string, body: Body): Promise<void> {
    noted.push({ id: `${file} ${noted.length + 1}: ${name}`, file, name, body });
    return Promise.resolve();
  }
}

export type Test = Checks;
export default new Root();
