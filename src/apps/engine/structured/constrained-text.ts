// Generates the text of a constrained response: a choice, a pattern, or JSON by a schema.
import {
  badRequest,
  type GrammarBackend,
  grammarInstance,
  regexInstance,
  type StructuredOutputs,
  schemaFault,
} from '../../../core/api/index.ts';
import { schemaInstance } from './schema-instance.ts';

/**
 * @param outputs The constraint of a request, from `constraintOf`.
 * @returns The text, or undefined without a constraint.
 * @throws {ApiError} 400 if the grammar library cannot compile the constraint.
 */
export function constrainedText(
  outputs: StructuredOutputs | undefined,
  backend: GrammarBackend = 'auto',
): string | undefined {
  if (outputs === undefined) return undefined;
  const { json, regex, choice, grammar, json_object: object, structural_tag: tag } = outputs;
  if (json != null) return jsonText(typeof json === 'string' ? parsedSchema(json) : json, backend);
  if (regex != null) return regexInstance(regex);
  if (choice != null) return String(choice[0]);
  if (grammar != null) return grammarInstance(grammar);
  if (object != null) return '{"answer":"synthetic"}';
  return tag == null ? undefined : structuralText(parsedTag(tag));
}

type Fields = Readonly<Record<string, unknown>>;

function parsedTag(text: string): Fields {
  try {
    return JSON.parse(text) as Fields;
  } catch {
    throw badRequest('Invalid structural tag specification.');
  }
}

/** Returns the text that a structural tag requires; undefined if the model is free to start. */
function structuralText(tag: Fields): string | undefined {
  const { format } = tag;
  return typeof format === 'object' && format !== null ? formatText(format as Fields) : undefined;
}

/** @see xgrammar's structural tag formats */
function formatText(format: Fields): string | undefined {
  const elements = Array.isArray(format['elements']) ? (format['elements'] as Fields[]) : [];
  const tags = Array.isArray(format['tags']) ? (format['tags'] as Fields[]) : [];
  switch (format['type']) {
    case 'const_string':
      return String(format['value']);
    case 'json_schema':
      return jsonText(format['json_schema'], 'auto');
    case 'regex':
      return regexInstance(String(format['pattern']));
    case 'grammar':
      return grammarInstance(String(format['grammar']));
    case 'sequence':
      return elements.map((element) => formatText(element) ?? '').join('');
    case 'or':
      return elements[0] && formatText(elements[0]);
    case 'tag': {
      const content = formatText((format['content'] ?? {}) as Fields) ?? '';
      return `${String(format['begin'])}${content}${String([format['end']].flat()[0])}`;
    }
    case 'tags_with_separator':
    case 'triggered_tags':
      return format['at_least_one'] === true && tags[0] ? formatText(tags[0]) : undefined;
    default:
      return undefined;
  }
}

function jsonText(schema: unknown, backend: GrammarBackend): string {
  // Any JSON is valid.
  if (schema === true) return 'null';
  const fault = schemaFault(schema, backend);
  if (fault !== undefined) throw badRequest(fault);
  return JSON.stringify(schemaInstance(schema) ?? null);
}

function parsedSchema(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('Invalid JSON grammar specification.');
  }
}
