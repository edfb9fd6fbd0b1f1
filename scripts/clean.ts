// `npm run clean`: takes away what a build or a test run has left, and nothing else.
import { rmSync } from 'node:fs';

for (const folder of ['dist', '.tap', '.stryker', '.stryker-tmp']) {
  rmSync(new URL(`../${folder}`, import.meta.url), { recursive: true, force: true });
}
