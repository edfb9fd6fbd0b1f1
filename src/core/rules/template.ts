// Templates: text with holes such as `author:{response.body.author}`. Reads them and says which
// values they need; filling them in is done where the request is.
import { isToken } from './formats.ts';
import type { Template, TemplatePart } from './config.ts';

export type TemplateReading =
  | { readonly kind: 'template'; readonly template: Template }
  | { readonly kind: 'wrong'; readonly message: string };

export type Hole = Extract<TemplatePart, { kind: 'value' }>;

const SOURCES = [
  'request.headers', 'request.body', 'response.headers', 'response.body', 'params', 'query',
] as const;

export function readTemplate(text: string): TemplateReading {
  const parts: TemplatePart[] = [];
  for (const piece of text.split(/(\{[^{}]*\})/)) {
    if (piece === '') continue;
    if (!piece.startsWith('{')) {
      if (/[{}]/.test(piece)) {
        return { kind: 'wrong', message: `\`${text}\` has a brace without its other` };
      }
      parts.push({ kind: 'text', text: piece });
      continue;
    }
    const hole = readHole(piece.slice(1, -1));
    if (typeof hole === 'string') return { kind: 'wrong', message: `in \`${text}\`: ${hole}` };
    parts.push(hole);
  }
  return { kind: 'template', template: { text, parts } };
}

function readHole(inside: string): Hole | string {
  const from = SOURCES.find((source) => inside.startsWith(`${source}.`));
  if (from === undefined) {
    const known = SOURCES.map((source) => `\`${source}.\``).join(', ');
    return `\`{${inside}}\` must begin with one of ${known}`;
  }
  const name = inside.slice(from.length + 1);
  if (name === '') return `\`{${inside}}\` names nothing`;
  if (from === 'request.headers' || from === 'response.headers') {
    if (!isToken(name)) return `\`${name}\` is no name of a field`;
    return { kind: 'value', from, path: [name.toLowerCase()] };
  }
  if (from === 'params' || from === 'query') return { kind: 'value', from, path: [name] };
  const path = name.split('.');
  return path.includes('') ? `\`{${inside}}\` has an empty name` : { kind: 'value', from, path };
}

export function holesOf(template: Template): Hole[] {
  return template.parts.filter((part) => part.kind === 'value');
}

/** The parts joined into one template, for values that stand next to each other. */
export function templateOf(parts: readonly TemplatePart[]): Template {
  const text = parts.map((part) => (part.kind === 'text' ? part.text : printHole(part))).join('');
  return { text, parts };
}

export function paramTemplate(name: string): Template {
  return templateOf([{ kind: 'value', from: 'params', path: [name] }]);
}

function printHole({ from, path }: Hole): string {
  return `{${[from, ...path].join('.')}}`;
}
