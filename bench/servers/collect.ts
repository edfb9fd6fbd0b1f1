// Loaded into a server before its own program (`--import`), so that the bench learns what it really
// keeps: on SIGUSR2 it collects its garbage, and writes how many bytes are in use to the file that
// BENCH_MEMORY names. Needs `--expose-gc`.
import { renameSync, writeFileSync } from 'node:fs';

const file = process.env['BENCH_MEMORY']!;

process.on('SIGUSR2', () => {
  // Twice: what is freed with the first may let go of more.
  void global.gc!();
  void global.gc!();
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.new`, String(heapUsed + external));
  renameSync(`${file}.new`, file);
});
