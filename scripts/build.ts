// `npm run build`: src/ by tsc to dist/, with what is not TypeScript beside it, and dist/main.js as
// a program that can be run by its name.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
const SHEBANG = '#!/usr/bin/env node\n';

rmSync(path('dist'), { recursive: true, force: true });
const tsc = spawnSync('tsc', ['-p', path('tsconfig.build.json')], { stdio: 'inherit' });
if (tsc.error !== undefined) throw tsc.error;
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

cpSync(path('src'), path('dist'), {
  recursive: true,
  filter: (from) => statSync(from).isDirectory() || !['.ts', '.md'].includes(extname(from)),
});

const program = path('dist/main.js');
const code = readFileSync(program, 'utf8');
if (!code.startsWith(SHEBANG)) writeFileSync(program, SHEBANG + code);
chmodSync(program, 0o755);
