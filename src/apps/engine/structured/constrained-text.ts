// The text of an answer that must have a form: a choice, a pattern, or JSON by a schema.
import { badRequest, type ChatRequest } from '../../../core/protocol/index.ts';
import { regexInstance } from './regex-instance.ts';
import { danglingReference, schemaInstance } from './schema-instance.ts';

/**
 * @returns The text, or undefined if the request leaves the form free.
 * @throws {ApiError} 400 if the constraint is contradictory or cannot be understood.
 */
export function constrainedText(
  request: Pick<ChatRequest, 'response_format' | 'structured_outputs'>,
): string | undefined {
  const isTwice =
    request.structured_outputs != null &&
    (request.response_format?.type === 'json_schema' ||
      request.response_format?.type === 'json_object');
  if (isTwice) {
    throw badRequest(
      'You can only use one kind of structured outputs constraint but multiple are specified',
    );
  }
  return (
    fromResponseFormat(request.response_format as Fields | null | undefined) ??
    fromStructuredOutputs(request.structured_outputs as Fields | null | undefined)
  );
}

type Fields = Readonly<Record<string, unknown>>;

function fromResponseFormat(format: Fields | null | undefined): string | undefined {
  if (format == null || format['type'] === 'text') return undefined;
  if (format['type'] === 'structural_tag') return structuralText(format);
  if (format['type'] === 'json_object') return '{"answer":"synthetic"}';
  if (format['type'] !== 'json_schema') return undefined;
  const wrapped = format['json_schema'] as Fields | null | undefined;
  if (wrapped == null) {
    throw badRequest(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      'response_format',
    );
  }
  if (wrapped['schema'] == null) {
    throw badRequest(
      'You must use one kind of structured outputs constraint but none are specified',
    );
  }
  return jsonText(wrapped['schema']);
}

const kinds = ['json', 'regex', 'choice', 'grammar', 'json_object', 'structural_tag'] as const;

function fromStructuredOutputs(outputs: Fields | null | undefined): string | undefined {
  if (outputs == null) return undefined;
  const given = kinds.filter((kind) => outputs[kind] != null && outputs[kind] !== false);
  if (given.length > 1) {
    throw badRequest(
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
    );
  }
  if (given.length === 0) {
    throw badRequest(
      'You must use one kind of structured outputs constraint but none are specified',
    );
  }
  const value = outputs[given[0] ?? ''];
  switch (given[0]) {
    case 'json':
      return jsonText(typeof value === 'string' ? parsedSchema(value) : value);
    case 'json_object':
      return '{"answer":"synthetic"}';
    case 'choice':
      if (!Array.isArray(value) || value.length === 0) {
        throw badRequest(`Choice '[]' cannot be an empty list`);
      }
      return String(value[0]);
    case 'regex':
      return regexInstance(String(value));
    case 'grammar':
      // The first literal of the root rule; enough for the grammars that only list words.
      return grammarText(String(value));
    case 'structural_tag':
      return structuralText(parsedTag(String(value)));
    default:
      return undefined;
  }
}

function parsedTag(text: string): Fields {
  try {
    return JSON.parse(text) as Fields;
  } catch {
    throw badRequest(
      'Invalid structured_outputs structural_tag specification.',
      'structured_outputs',
    );
  }
}

/** The text that a structural tag demands; undefined where it leaves the model free to begin. */
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
      return jsonText(format['json_schema']);
    case 'regex':
      return regexInstance(String(format['pattern']));
    case 'grammar':
      return grammarText(String(format['grammar']));
    case 'sequence':
      return elements.map((element) => formatText(element) ?? '').join('');
    case 'or':
      return elements[0] && formatText(elements[0]);
    case 'tag': {
      const content = formatText((format['content'] ?? {}) as Fields) ?? '';
      return `${String(format['begin'])}${content}${String([format['end']].flat()[0])}`;
    }
    case 'tags_with_separator':
      return format['at_least_one'] === true && tags[0] ? formatText(tags[0]) : undefined;
    case 'triggered_tags':
      return format['at_least_one'] === true && tags[0] ? formatText(tags[0]) : undefined;
    default:
      return undefined;
  }
}

function jsonText(schema: unknown): string {
  const dangling = danglingReference(schema, schema);
  if (dangling !== undefined) {
    throw badRequest(`Failed to transform json schema into a grammar: Cannot find ${dangling}`);
  }
  const instance = schemaInstance(schema);
  if (instance === undefined) throw badRequest('Invalid JSON schema: unknown type.');
  return JSON.stringify(instance);
}

function parsedSchema(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('Invalid JSON grammar specification.');
  }
}

function grammarText(grammar: string): string {
  const literal = /root\s*::=[^"]*"((?:[^"\\]|\\.)*)"/.exec(grammar)?.[1];
  if (literal === undefined && !/root\s*::=\s*\S/.test(grammar)) {
    throw badRequest('Invalid grammar specification.');
  }
  return literal ?? '';
}
