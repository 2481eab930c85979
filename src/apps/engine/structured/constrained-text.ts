// The text of an answer that must have a form: a choice, a pattern, or JSON by a schema.
import { badRequest, type ChatRequest } from '../../../core/protocol/index.ts';
import { regexInstance } from './regex-instance.ts';
import { schemaInstance } from './schema-instance.ts';

/**
 * @returns The text, or undefined if the request leaves the form free.
 * @throws {ApiError} 400 if the constraint is contradictory or cannot be understood.
 */
export function constrainedText(
  request: Pick<ChatRequest, 'response_format' | 'structured_outputs'>,
): string | undefined {
  return (
    fromResponseFormat(request.response_format as Fields | null | undefined) ??
    fromStructuredOutputs(request.structured_outputs as Fields | null | undefined)
  );
}

type Fields = Readonly<Record<string, unknown>>;

function fromResponseFormat(format: Fields | null | undefined): string | undefined {
  if (format == null || format['type'] === 'text') return undefined;
  if (format['type'] === 'json_object') return '{"answer":"synthetic"}';
  if (format['type'] !== 'json_schema') return undefined;
  const wrapped = format['json_schema'] as Fields | null | undefined;
  if (wrapped == null) {
    throw badRequest(
      "When response_format type is 'json_schema', the 'json_schema' field must be provided.",
      'response_format',
    );
  }
  return jsonText(wrapped['schema'] ?? {});
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
  const value = outputs[given[0] ?? ''];
  switch (given[0]) {
    case 'json':
      return jsonText(typeof value === 'string' ? JSON.parse(value) : value);
    case 'json_object':
      return '{"answer":"synthetic"}';
    case 'choice':
      return String((value as readonly unknown[])[0] ?? '');
    case 'regex':
      return regexInstance(String(value));
    case 'grammar':
      // The first literal of the root rule; enough for the grammars that only list words.
      return /root\s*::=[^"]*"((?:[^"\\]|\\.)*)"/.exec(String(value))?.[1];
    default:
      return undefined;
  }
}

function jsonText(schema: unknown): string {
  const instance = schemaInstance(schema);
  if (instance === undefined) throw badRequest('Invalid JSON schema: unknown type.');
  return JSON.stringify(instance);
}
