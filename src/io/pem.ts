// PEM files that the configuration names, read when a connection is first prepared. Throws where
// one can't be read; whoever asks says what that means.
import { readFileSync } from 'node:fs';

/** Paths, as the configuration has them. */
export interface PemPaths {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Their texts, for TLS options; only of those that are named. */
export function readPem({ ca, cert, key }: PemPaths): PemPaths {
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca, 'utf8') }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert, 'utf8') }),
    ...(key === undefined ? {} : { key: readFileSync(key, 'utf8') }),
  };
}
