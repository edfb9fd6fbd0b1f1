// What a script on the control key answers, and what an instance remembers of its own writes. Every
// answer begins alike: epoch, seq, and whether the caller is a member.
import type { Epoch, Seq } from '../core/entry/entry.ts';
import type { StoreTrouble, Touch } from '../flow/ports.ts';
import type { Script } from './redis-lua.ts';

export type Heard =
  | {
      readonly kind: 'heard';
      readonly epoch: Epoch;
      readonly seq: Seq;
      /** Whether the store counts this instance among its members. */
      readonly member: boolean;
      readonly rest: readonly unknown[];
    }
  | { readonly kind: 'failed'; readonly because: StoreTrouble };

/** A write that this instance looks after, as the store was told of it. */
export type Mine = Map<
  string,
  | { readonly state: 'open'; readonly tags: readonly string[] }
  | {
      readonly state: 'unknown' | 'settling';
      readonly tags: Touch['tags'];
      readonly holdMs: number | undefined;
    }
>;

export type Call = (script: Script, ...args: readonly string[]) => Promise<Heard>;

export function hear(value: unknown): Heard {
  if (Array.isArray(value)) {
    const [epoch, seq, member, ...rest] = value as unknown[];
    if (typeof epoch === 'string' && typeof seq === 'number') {
      return { kind: 'heard', epoch: epoch as Epoch, seq: seq as Seq, member: member === 1, rest };
    }
  }
  return { kind: 'failed', because: 'store-down' };
}
