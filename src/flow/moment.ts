// One moment by both clocks of an instance.
import type { Moment } from '../core/promise/lease.ts';
import type { Clock } from './ports.ts';

export function momentOf(clock: Clock): Moment {
  return { mono: clock.mono(), wall: clock.now() };
}
