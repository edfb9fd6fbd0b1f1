// `everfresh refresh TARGET…`: what these targets name is fetched again by a running gateway.
import { orderGateway } from './operator.ts';
import type { World } from './world.ts';

export function run(argv: readonly string[], world: World): Promise<number> {
  return orderGateway('refresh', argv, world);
}
