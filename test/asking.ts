// Requests for tests of the core: what a read means under a file of rules, without any gateway.
import type { Fields } from '../src/core/http/message.ts';
import { type Cacheable, type Meaning, meaningOf } from '../src/core/key/meaning.ts';
import type { Config, ReadRule } from '../src/core/rules/config.ts';
import { compileMatcher } from '../src/core/rules/match.ts';
import { liveOf } from '../src/compose/live.ts';
import { parseRules } from '../src/core/rules/parse.ts';
import { printProblem } from '../src/core/rules/problem.ts';
import { noTokens } from './sim/no-tokens.ts';

const SECRET = 'a secret of the tests';

/** What else of a request is not plain. */
interface Change {
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly hasBody?: boolean;
  readonly authority?: string;
  readonly scheme?: 'http' | 'https';
}

export interface Rules {
  readonly config: Config;
  /** What a GET of this path and query means. */
  asks(target: string, fields?: Fields, change?: Change): Meaning;
  /** The same, where the test is about what may be cached. */
  reads(target: string, fields?: Fields, change?: Change): Cacheable;
  /** The one read rule of a path of the file. */
  rule(pattern: string): ReadRule;
}

export function rulesOf(yaml: string): Rules {
  const parsed = parseRules(`upstream: http://localhost:3000\n${yaml}`, { file: 'routes.yaml' });
  if (parsed.kind === 'wrong') throw new Error(parsed.problems.map(printProblem).join('\n'));
  const { config } = parsed;
  const match = compileMatcher(config.routes);
  const { readers } = liveOf(config, SECRET, noTokens);
  const asks: Rules['asks'] = (target, fields = [], {
    method = 'GET', body, hasBody = body !== undefined, authority = 'localhost', scheme = 'http',
  } = {}) => {
    const at = target.indexOf('?');
    const path = at < 0 ? target : target.slice(0, at);
    const query = at < 0 ? undefined : target.slice(at + 1);
    return meaningOf({
      method, target, fields, path, query, authority, hasBody, body, scheme,
    }, config, match, readers);
  };
  return {
    config,
    asks,
    reads(...given) {
      const meaning = asks(...given);
      if (meaning.kind !== 'cacheable') throw new Error(`passed: ${meaning.because}`);
      return meaning;
    },
    rule: (pattern) => config.routes.find((route) => route.pattern === pattern)!.reads.get('GET')!,
  };
}
