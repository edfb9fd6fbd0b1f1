// What an operator means by a target given by hand: a pattern of the file (`/posts/:id`: all of
// it), a path (`/posts/7`, with `*` for any), either with `?page=1` for exactly one variant, a tag,
// or `*` for everything.
import type { Config } from '../rules/config.ts';
import { type Finder } from './reach.ts';
import { extraTag, reachTag, variantTag } from './tags.ts';

export type Meant =
  | { readonly kind: 'tags'; readonly tags: readonly string[] | 'everything' }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] };

export function ownTarget(
  order: { readonly targets: readonly string[]; readonly tags: readonly string[] },
  { config, finder }: { config: Config; finder: Finder },
): Meant {
  if (order.targets.includes('*')) return { kind: 'tags', tags: 'everything' };
  const tags = new Set(order.tags.map(extraTag));
  const problems: string[] = [];
  for (const target of order.targets) {
    const tagged = target.startsWith('tag:');
    const meant = tagged ? [extraTag(target.slice(4))] : byPath(target, config, finder);
    if (meant.length === 0) problems.push(`\`${target}\` names no route that is read`);
    for (const tag of meant) tags.add(tag);
  }
  if (tags.size === 0 && problems.length === 0) problems.push('neither `targets` nor `tags` given');
  return problems.length > 0 ? { kind: 'wrong', problems } : { kind: 'tags', tags: [...tags] };
}

function byPath(target: string, config: Config, finder: Finder): string[] {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  const query = at < 0 ? undefined : target.slice(at + 1);
  if (!path.startsWith('/')) return [];
  const named = config.routes.find(({ pattern, reads }) => pattern === path && reads.size > 0);
  if (named !== undefined && named.params.length > 0) return [named.pattern];
  return finder.matchLoosely(path)
    .filter(({ route }) => route.reads.size > 0)
    .map(({ route, params }) => {
      const bound = new Map([...params].filter(([, value]) => !value.split('/').includes('*')));
      const whole = bound.size === route.params.length;
      if (query !== undefined && whole) return variantTag(route, bound, query);
      return reachTag(route, bound);
    });
}
