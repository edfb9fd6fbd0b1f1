// The flags of `everfresh serve`, and of a URL alone.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Overrides } from '../core/rules/overrides.ts';
import { DEFAULT_FILE, type World } from './world.ts';

export interface Flags {
  /** Undefined: no file, all is said by flags and variables. */
  readonly file: string | undefined;
  readonly overrides: Overrides;
}

export type FlagsReading =
  | { readonly kind: 'ok'; readonly flags: Flags }
  | { readonly kind: 'wrong'; readonly message: string };

export function readFlags(argv: readonly string[], env: World['env']): FlagsReading {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c' },
        upstream: { type: 'string' },
        listen: { type: 'string' },
        admin: { type: 'string' },
        store: { type: 'string' },
        mode: { type: 'string' },
        workers: { type: 'string' },
      },
    });
    const [url, ...more] = positionals;
    if (more.length > 0) return wrong(`unexpected argument: ${more[0]!}`);
    if (url !== undefined && values.upstream !== undefined)
      return wrong('the upstream is given twice');
    const { config, ...rest } = values;
    const upstream = url ?? values.upstream;
    const overrides = { ...rest, ...(upstream === undefined ? {} : { upstream }) };
    return {
      kind: 'ok',
      flags: { file: fileOf(config, url ?? upstream ?? env['EVERFRESH_UPSTREAM'], url), overrides },
    };
  } catch (error) {
    const [said] = (error as Error).message.split('. To specify', 1);
    return wrong(`${said!} (see everfresh help serve)`);
  }
}

// A URL alone means no file; an upstream without a file is enough; otherwise the usual file it is.
function fileOf(
  config: string | undefined,
  upstream: string | undefined,
  url: string | undefined,
): string | undefined {
  if (config !== undefined) return config;
  if (url !== undefined) return undefined;
  return upstream !== undefined && !existsSync(DEFAULT_FILE) ? undefined : DEFAULT_FILE;
}

function wrong(message: string): FlagsReading {
  return { kind: 'wrong', message };
}
