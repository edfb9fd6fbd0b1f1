// What `--help` and `--version` print: for the whole program, and for each command. The usage lines
// that a command shows after a mistake are the same ones.
import { readFileSync } from 'node:fs';
import { OVERRIDES, variableOf } from '../core/rules/overrides.ts';
import { nearest } from '../core/rules/problem.ts';
import { EXIT_OK, EXIT_WRONG, type World } from './world.ts';

interface Help {
  readonly usage: readonly string[];
  /** One line, for the list of all commands. */
  readonly does: string;
  readonly more: string;
}

const ADMIN = `      --admin HOST:PORT  the gateway's admin listener
  -c, --config FILE      the configuration; routes.yaml unless said

The listener is found by --admin, else EVERFRESH_ADMIN, else the file's \`admin\`, else
127.0.0.1:8081. Its token is taken from EVERFRESH_ADMIN_TOKEN.

A target is a route of the file (/posts/:id: all of it), a path (/posts/7, with * for any
part), either with a query for exactly one variant (/posts?page=1), or a tag (tag:posts).

Exit code: 0 done; 1 the gateway refuses, can't be reached, or can't tell its store; 2 wrong
usage or file.`;

const HELPS = {
  serve: {
    usage: ['everfresh serve [URL] [OPTIONS]', 'everfresh URL [OPTIONS]'],
    does: 'run the gateway',
    more: `Runs the gateway in front of the upstream. With a URL alone there is no file: every GET
and QUERY is cached as HTTP allows, and writes refresh by REST convention.

  -c, --config FILE       the configuration; routes.yaml unless said
      --upstream URL      where to fetch from
      --listen HOST:PORT  where the gateway listens; 127.0.0.1:8080 unless said
      --admin HOST:PORT   where the admin listener listens, or off; 127.0.0.1:8081 unless said
      --store URL         memory, or a redis:// or rediss:// URL
      --workers N         so many processes on one port, with a Redis store; 1 unless said
      --mode MODE         on, observe (only says what it would do) or off (a plain proxy)

Flags win over EVERFRESH_* variables, these over the file. SIGHUP, or a changed file, reloads:
a broken file is refused, and the last good one stays. SIGTERM and SIGINT drain.

Exit code: 0 ended by a signal; 1 can't listen; 2 wrong usage or file.`,
  },
  check: {
    usage: ['everfresh check [FILE] [--strict]'],
    does: 'tell all problems and warnings of a configuration',
    more: `Tells all problems of the file at once, each with its line and column, and warns of what
is allowed but probably not meant.

  -c, --config FILE  the same as FILE; routes.yaml unless said
      --strict       warnings count

Exit code: 0 nothing found; 1 warnings, with --strict; 2 wrong usage or file.`,
  },
  explain: {
    usage: ["everfresh explain METHOD PATH [-H 'name: value']... [-d TEXT] [-c FILE] [--json]"],
    does: 'say what would be done with a request, and why',
    more: `Says which route speaks for a request, under which key and tags its answer is kept, how
it is fetched, and what a write makes invalid. By the file alone, with the code of the
gateway; the admin listener's /explain knows what is in the cache as well.

  -H, --header LINE  a field of the request, such as 'accept: text/html'; may be repeated
  -d, --data TEXT    the body of a write, for targets such as {request.body.author}
  -c, --config FILE  the configuration; routes.yaml unless said
      --json         print JSON

Exit code: 0; 2 wrong usage or file.`,
  },
  graph: {
    usage: ['everfresh graph [FILE] [--format text|mermaid]'],
    does: 'show which writes refresh which reads',
    more: `Shows which writes refresh which reads.

  -c, --config FILE    the same as FILE; routes.yaml unless said
      --format FORMAT  text, or mermaid for a diagram

Exit code: 0; 2 wrong usage or file.`,
  },
  refresh: {
    usage: ['everfresh refresh TARGET... [--admin HOST:PORT] [-c FILE]'],
    does: 'have a running gateway fetch targets again',
    more: `For writes that don't pass through everfresh: what the targets name becomes invalid, and
what of it is in use is fetched again.

${ADMIN}`,
  },
  purge: {
    usage: ['everfresh purge TARGET... [--admin HOST:PORT] [-c FILE]'],
    does: 'have a running gateway make targets invalid',
    more: `What the targets name becomes invalid, and is fetched again when somebody asks for it.

${ADMIN}`,
  },
  schema: {
    usage: ['everfresh schema'],
    does: 'print the JSON Schema of the configuration',
    more: 'Prints the JSON Schema of the configuration, for editors.',
  },
} as const satisfies Record<string, Help>;

export type CommandName = keyof typeof HELPS;

export const COMMANDS = Object.keys(HELPS) as readonly CommandName[];

/** `usage: everfresh check …`, a line for each form. */
export function usageOf(command: CommandName): string {
  return HELPS[command].usage
    .map((form, i) => `${i === 0 ? 'usage:' : '      '} ${form}`)
    .join('\n');
}

/** Of one command, or of the whole program. */
export function helpText(command?: CommandName): string {
  if (command !== undefined) return `${usageOf(command)}\n\n${HELPS[command].more}`;
  const commands = COMMANDS.map((name) => `  ${name.padEnd(9)} ${HELPS[name].does}`);
  const variables = OVERRIDES.map((name) => `  ${variableOf(name)}`);
  return `everfresh: a caching reverse proxy that is never stale

usage: everfresh COMMAND [ARGUMENTS]
       everfresh URL      the gateway in front of URL, with no file

${commands.join('\n')}

  -h, --help [COMMAND]   this text, or a command's own
  -v, --version          the version

Variables that set what the file may set, too:
${variables.join('\n')}`;
}

/** Of the package that this file is in. */
export function versionText(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return `everfresh ${version}`;
}

/** `help [COMMAND]`, `--help [COMMAND]`, `COMMAND --help`, `--version`, or nothing at all. */
export async function run(argv: readonly string[], world: World): Promise<number> {
  const [first] = argv;
  if (first === undefined) {
    world.err(helpText());
    return EXIT_WRONG;
  }
  if (first === '--version' || first === '-v') {
    world.out(versionText());
    return EXIT_OK;
  }
  const named = first === 'help' ? argv[1] : argv.find((word) => !word.startsWith('-'));
  // A URL alone is the gateway.
  const name = named !== undefined && named.includes(':') ? 'serve' : named;
  const command = COMMANDS.find((known) => known === name);
  if (name !== undefined && !name.startsWith('-') && command === undefined) {
    const meant = nearest(name, COMMANDS);
    const hint = meant === undefined ? '' : ` (did you mean \`${meant}\`?)`;
    world.err(`everfresh: unknown command \`${name}\`${hint}`);
    return EXIT_WRONG;
  }
  world.out(helpText(command));
  return EXIT_OK;
}
