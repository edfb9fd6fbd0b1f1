// Switches what the gateway does with requests, while it runs. Writes that were passed on without a
// touch may have changed anything, so that nothing kept is used before everything is touched.
import type { Mode } from '../core/rules/config.ts';
import type { Asked, Gateway, Told } from './gateway.ts';
import { pass } from './pass.ts';
import { touchOrRemember } from './touching.ts';

export async function switchMode(gateway: Gateway, mode: Mode): Promise<void> {
  if (mode === 'on' && gateway.mode !== 'on') await touchEverything(gateway);
  gateway.mode = mode;
}

/**
 * Passes a write on without a touch; one that was under way while the mode went on touches late.
 */
export async function passWrite(
  gateway: Gateway,
  asked: Asked,
  because: 'observe' | 'mode-off',
): Promise<Told> {
  const route = gateway.live.finder.match(asked.path)?.route;
  const told = await pass(gateway, asked, { because, route });
  if (gateway.mode === 'on') await touchEverything(gateway);
  return told;
}

async function touchEverything(gateway: Gateway): Promise<void> {
  await touchOrRemember(gateway, { tags: 'everything', then: 'done' });
}
