// Plays one history and prints every module that had a part in it, with the hash of its source as
// it was loaded, before types are stripped.
import { createHash } from 'node:crypto';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const loaded: Record<string, string> = {};

registerHooks({
  load(url, context, next) {
    const found = next(url, context);
    if (url.startsWith('file:') && found.source !== undefined && found.source !== null) {
      const source = found.source as string | Uint8Array;
      const path = fileURLToPath(url).slice(root.length);
      loaded[path] = createHash('sha256').update(source).digest('hex');
    }
    return found;
  },
});
const { history } = await import('./history.ts');
const { violations } = await history({ seed: 1 });
console.log(JSON.stringify({ loaded, violations }));
