// What a command may see of the process that runs it: its environment and where its lines go. A
// command gives back an exit code and ends nothing itself.

export interface World {
  out(line: string): void;
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const EXIT_OK = 0;
export const EXIT_WARNINGS = 1;
/** Wrong usage or a wrong configuration. */
export const EXIT_WRONG = 2;

export const DEFAULT_FILE = 'routes.yaml';
