// A configuration in force: its routes compiled to be found, and whose word counts about whom.
import { keepFields, plainName } from '../core/http/message.ts';
import type { Readers } from '../core/key/reader.ts';
import type { Finder } from '../core/plan/reach.ts';
import type { Config, ForgetOn, Identity, Route } from '../core/rules/config.ts';
import { compileFinder, compileLooseMatcher } from '../core/rules/match.ts';
import type { Live } from '../flow/gateway.ts';
import type { Tokens } from '../flow/ports.ts';
import { trustedPeers } from '../io/trusted.ts';

/** `secret`: by which readers are told apart, for as long as this gateway lives. */
export function liveOf(config: Config, secret: string, tokens: Tokens): Live {
  const finder: Finder = compileFinder(config.routes);
  const readers: Readers = {
    secret,
    claims(identity, token) {
      const found = tokens.look(identity, token);
      if (found === 'unknown') return 'it was not verified';
      return 'bad' in found ? found.bad : found;
    },
  };
  return {
    config,
    finder,
    trusts: trustedPeers(config.trustProxy),
    readers,
    believedFrom: believedFrom(config.identities),
    forgets: forgetting(config.identities),
  };
}

/**
 * A name that somebody in front sets is nobody else's to say; nor with `_` for `-`, which many
 * servers take for the same.
 */
function believedFrom(identities: readonly Identity[]): Live['believedFrom'] {
  const named = identities.flatMap(({ from }) => (from.kind === 'trusted'
    ? [{ name: from.name, trusts: trustedPeers(from.trustedFrom) }] : []));
  if (named.length === 0) return (fields) => fields;
  const spelt = new Set(named.map(({ name }) => plainName(name)));
  return (fields, peer) => {
    if (!fields.some((text, i) => i % 2 === 0 && spelt.has(plainName(text)))) return fields;
    return keepFields(fields, (name) => !spelt.has(plainName(name))
      || named.some((one) => one.name === name && one.trusts(peer)));
  };
}

/** A path is found by every spelling that some server may take for it. */
function forgetting(identities: readonly Identity[]): Live['forgets'] {
  const all = identities.flatMap((identity) =>
    identity.forgetOn.map((on) => ({ identity, on, key: `${on.method} ${on.pattern}` })));
  if (all.length === 0) return () => [];
  const methods = new Map<string, ReturnType<typeof compileLooseMatcher>>();
  for (const { on: { method } } of all) {
    const patterns = all.filter(({ on }) => on.method === method).map(({ on }) => asRoute(on));
    methods.set(method, compileLooseMatcher(patterns));
  }
  return (method, path) => (methods.get(method)?.(path) ?? []).flatMap(({ route: { pattern } }) =>
    all.filter(({ key }) => key === `${method} ${pattern}`).map(({ identity }) => identity));
}

function asRoute({ pattern, segments, params }: ForgetOn): Route {
  return { pattern, segments, params, reads: new Map(), writes: new Map() };
}
