// The JSON Schema of the configuration, made from the grammar for editors. It completes and warns
// while one types; `check` has the last word.
import { pathOptions, readOptions, topOptions, writeOptions } from './grammar.ts';
import { objectSchema } from './kinds.ts';
import type { Fields, Schema } from './kinds.ts';

/** A draft-07 schema, as yaml-language-server reads them. */
export function routesSchema(): Schema {
  // A flag or a variable may give what the file doesn't.
  const { required: _, ...top } = objectSchema(topOptions);
  const properties = top['properties'] as Record<string, Schema>;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'everfresh: routes.yaml',
    ...top,
    properties: {
      ...properties,
      defaults: { ...properties['defaults'], ...objectSchema({ ...readOptions, ...writeOptions }) },
      routes: { ...properties['routes'], ...routes() },
    },
    definitions: { read: options(readOptions), write: options(writeOptions) },
  };
}

function options(fields: Fields): Schema {
  return { ...objectSchema(fields), type: ['object', 'null'] };
}

function routes(): Schema {
  const beside = objectSchema(pathOptions)['properties'] as Record<string, Schema>;
  const path = {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...beside, GET: { $ref: '#/definitions/read' }, QUERY: { $ref: '#/definitions/read' },
    },
    patternProperties: {
      '^(?!(GET|HEAD|QUERY|OPTIONS|TRACE|CONNECT)$)[A-Z][A-Z0-9_-]*$': {
        $ref: '#/definitions/write',
      },
    },
  };
  return { type: 'object', additionalProperties: false, patternProperties: { '^/': path } };
}
