// Tells the TAP of a whole run briefly: one line for a file that passed, everything but the passed
// points for one that did not, and each skip with its reason. The counts are tap's own, and a run
// or a file that has no tests counts as failed.

export class Summary {
  #passed = 0;
  #failed = 0;
  #empty = 0;
  /** What the file that is being read has said so far. */
  #block: string[] = [];
  /** Between the marks of why a file failed, such as its exit code. */
  #inReason = false;

  /** Takes one line of TAP; returns the lines to be printed now. */
  read(line: string): string[] {
    const total = /^# \{ total: \d+, pass: (\d+)(?:, fail: (\d+))?/.exec(line);
    if (total !== null) {
      this.#passed = Number(total[1]);
      this.#failed = Number(total[2] ?? 0);
      return [];
    }
    if (this.#inReason || line === '  ---') {
      this.#inReason = line !== '  ...';
      return [line];
    }
    const file = /^(not )?ok \d+(?: - )?(.*)$/.exec(line);
    if (file === null) {
      this.#block.push(line);
      return [];
    }
    const block = this.#block.filter((said) => said.trim() !== '');
    this.#block = [];
    if (/ # SKIP no tests found$/.test(line)) {
      this.#empty++;
      return [...block, `not ok - ${file[2]}`];
    }
    if (file[1] !== undefined) return [...block.filter(isWorthTelling), line];
    // What was skipped, or is yet to be done, says so after its title.
    return [line, ...block.filter((said) => / # [A-Z]{4}\b/.test(said))];
  }

  /** What remains to be printed, and the counts; `code` is what tap exited with. */
  end(code: number | null): { rest: string[]; passed: number; failed: number } {
    const failed = this.#failed + this.#empty;
    const silent = this.#passed === 0 && failed === 0;
    return {
      rest: this.#block.filter((line) => !line.startsWith('#') && line.trim() !== ''),
      passed: this.#passed,
      failed: failed === 0 && (silent || code !== 0) ? 1 : failed,
    };
  }
}

/** Not a point that passed, nor a plan, nor a time. */
function isWorthTelling(line: string): boolean {
  return !/^ *(ok \d(?!.* # [A-Z]{4}\b)|1\.\.\d+$|# time=)/.test(line);
}
