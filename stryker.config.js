// Mutation testing of the files that decide, by hand: `npm run mutation`. What it found, and why the
// mutants that are left are, stands in docs/mutation.md.
export default {
  mutate: [
    'src/core/promise/*.ts',
    'src/core/key/*.ts',
    'src/core/http/{freshness,vary}.ts',
    'src/core/entry/reusing.ts',
    'src/core/plan/tags.ts',
  ],
  plugins: ['./test/mutation/runner.ts'],
  testRunner: 'in-one-process',
  coverageAnalysis: 'perTest',
  concurrency: 1,
  // What was loaded once is never forgotten by Node.
  maxTestRunnerReuse: 200,
  disableTypeChecks: false,
  ignorePatterns: ['**', '!package.json', '!src/**/*.ts', '!test/*.ts', '!test/core/*.ts'],
  reporters: ['clear-text', 'html', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: '.stryker/report.html' },
  jsonReporter: { fileName: '.stryker/report.json' },
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
  allowEmpty: false,
  thresholds: { high: 95, low: 90, break: null },
};
