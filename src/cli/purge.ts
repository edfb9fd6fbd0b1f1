// `everfresh purge TARGET…`: what these targets name becomes invalid in a running gateway.
import { orderGateway } from './operator.ts';
import type { World } from './world.ts';

export function run(argv: readonly string[], world: World): Promise<number> {
  return orderGateway('purge', argv, world);
}
