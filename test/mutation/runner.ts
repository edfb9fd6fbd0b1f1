// Stryker's way to our tests: all in one process, each only where it reaches the mutant, so that a
// mutant costs milliseconds. Instrumented code asks `__stryker__` which mutant is active. What is
// decided while a module loads is tried by loading everything anew.
import { globSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { InstrumenterContext } from '@stryker-mutator/api/core';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  determineHitLimitReached, type DryRunResult, DryRunStatus, type MutantRunOptions,
  type MutantRunResult, type TestResult, type TestRunner, TestStatus, toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import { begin, type Noted, run, taken } from './tap.ts';

/** They read what is not copied, or count the calls of what all use. */
const LEFT_OUT = ['http-cache-status', 'rules-docs', 'rules-match']
  .map((name) => `test/core/${name}.test.ts`);

class InOneProcess implements TestRunner {
  readonly #stryker: InstrumenterContext = { mutantCoverage: { static: {}, perTest: {} } };
  #loads = 0;
  /** What is loaded is not the code as it is. */
  #spoilt = true;
  #tests: readonly Noted[] = [];

  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: true };
  }

  init(): Promise<void> {
    Object.assign(globalThis, { __stryker__: this.#stryker });
    const sandbox = pathToFileURL(join(process.cwd(), '/')).href;
    const tap = new URL('tap.ts', import.meta.url).href;
    registerHooks({
      resolve: (name, context, next) => {
        if (name === 'tap') return { url: tap, shortCircuit: true };
        const found = next(name, context);
        const ours = found.url.startsWith(sandbox) && !found.url.includes('/node_modules/');
        return ours ? { ...found, url: `${found.url.split('?')[0]}?${this.#loads}` } : found;
      },
    });
    return Promise.resolve();
  }

  async dryRun(): Promise<DryRunResult> {
    await this.#load();
    const tests: TestResult[] = [];
    for (const test of this.#tests) {
      const first = await this.#result(test);
      // One that can't be repeated would seem to kill whatever it reaches.
      tests.push(first.status === TestStatus.Success ? await this.#result(test) : first);
    }
    const { mutantCoverage } = this.#stryker;
    return {
      status: DryRunStatus.Complete, tests,
      ...(mutantCoverage === undefined ? {} : { mutantCoverage }),
    };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const { activeMutant, hitLimit, testFilter, reloadEnvironment } = options;
    const stryker = this.#stryker;
    if (this.#spoilt && !reloadEnvironment) await this.#load();
    Object.assign(stryker, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    try {
      // What can't even be loaded is found out as well.
      const unloaded = reloadEnvironment ? await failure(() => this.#load()) : undefined;
      const tests: TestResult[] = unloaded === undefined ? [] : [{
        id: 'load', name: 'load', timeSpentMs: 0, status: TestStatus.Failed,
        failureMessage: unloaded,
      }];
      for (const test of this.#tests) {
        if (tests.at(-1)?.status === TestStatus.Failed) break;
        if (testFilter?.includes(test.id) ?? true) tests.push(await this.#result(test));
      }
      return toMutantRunResult(
        determineHitLimitReached(stryker.hitCount, hitLimit)
          ?? { status: DryRunStatus.Complete, tests },
      );
    } finally {
      delete stryker.activeMutant;
      this.#spoilt = reloadEnvironment;
    }
  }

  async #result({ id, name, file, body }: Noted): Promise<TestResult> {
    this.#stryker.currentTestId = id;
    const begun = performance.now();
    const failureMessage = await failure(() => run(body));
    const told = { id, name, fileName: file, timeSpentMs: performance.now() - begun };
    delete this.#stryker.currentTestId;
    return failureMessage === undefined
      ? { ...told, status: TestStatus.Success }
      : { ...told, status: TestStatus.Failed, failureMessage };
  }

  async #load(): Promise<void> {
    const files = globSync('test/core/*.test.ts').filter((file) => !LEFT_OUT.includes(file)).sort();
    const tests: Noted[] = [];
    this.#loads += 1;
    for (const file of files) {
      begin(file);
      await import(pathToFileURL(join(process.cwd(), file)).href);
      tests.push(...taken());
    }
    this.#tests = tests;
    this.#spoilt = false;
  }
}

async function failure(does: () => Promise<void>): Promise<string | undefined> {
  try {
    await does();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, 'in-one-process', InOneProcess),
];
