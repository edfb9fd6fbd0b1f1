// A way to break the promise: a small change of one file of the production code, or of what stands
// for a server or a link where the real rule lives in a script or in io/. What is changed exists in
// memory only.

export type Change = readonly [find: string, replace: string];

export interface Mutant {
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  readonly changes: readonly Change[];
  /** With these faults it is found out; none: by reading and writing alone. */
  readonly by: readonly string[];
  /** One of these: without it, whatever else goes wrong, it is not found out. */
  readonly onlyWith?: string;
  /** A seed from which on that takes few histories. */
  readonly seed: number;
}
