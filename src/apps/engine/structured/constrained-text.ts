// Generates the text of a constrained response: a choice, a pattern, or JSON by a schema.
import {
  badRequest,
  type GrammarBackend,
  grammarInstance,
  regexInstance,
  type StructuredOutputs,
  schemaFault,
} from '../../../core/api/index.ts';
import { GrowingText } from './growing-text.ts';
import { schemaText } from './schema-text.ts';

/**
 * @param outputs The constraint of a request, from `constraintOf`.
 * @returns The text, or undefined without a constraint. It is written as far as it is read.
 * @throws {ApiError} 400 if the grammar library cannot compile the constraint.
 */
export function constrainedText(
  outputs: StructuredOutputs | undefined,
  backend: GrammarBackend = 'auto',
): GrowingText | undefined {
  const pieces = outputs && piecesOf(outputs, backend);
  return pieces && new GrowingText(pieces);
}

/** A text in one piece or in several. */
type Pieces = Iterable<string>;

function piecesOf(outputs: StructuredOutputs, backend: GrammarBackend): Pieces | undefined {
  const { json, regex, choice, grammar, json_object: object, structural_tag: tag } = outputs;
  if (json != null) {
    return jsonPieces(typeof json === 'string' ? parsedSchema(json) : json, backend);
  }
  if (regex != null) return [regexInstance(regex)];
  if (choice != null) return [String(choice[0])];
  if (grammar != null) return [grammarInstance(grammar)];
  if (object != null) return ['{"answer":"synthetic"}'];
  return tag == null ? undefined : structuralPieces(parsedTag(tag));
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
function structuralPieces(tag: Fields): Pieces | undefined {
  const { format } = tag;
  return typeof format === 'object' && format !== null ? formatPieces(format as Fields) : undefined;
}

/** @see xgrammar's structural tag formats */
function formatPieces(format: Fields): Pieces | undefined {
  const elements = Array.isArray(format['elements']) ? (format['elements'] as Fields[]) : [];
  const tags = Array.isArray(format['tags']) ? (format['tags'] as Fields[]) : [];
  switch (format['type']) {
    case 'const_string':
      return [String(format['value'])];
    case 'json_schema':
      return jsonPieces(format['json_schema'], 'auto');
    case 'regex':
      return [regexInstance(String(format['pattern']))];
    case 'grammar':
      return [grammarInstance(String(format['grammar']))];
    case 'sequence':
      return sequencePieces(elements);
    case 'or':
      return elements[0] && formatPieces(elements[0]);
    case 'tag':
      return tagPieces(format);
    case 'tags_with_separator':
    case 'triggered_tags':
      return format['at_least_one'] === true && tags[0] ? formatPieces(tags[0]) : undefined;
    default:
      return undefined;
  }
}

function* sequencePieces(elements: readonly Fields[]): Generator<string> {
  for (const element of elements) yield* formatPieces(element) ?? [];
}

function* tagPieces(format: Fields): Generator<string> {
  yield String(format['begin']);
  yield* formatPieces((format['content'] ?? {}) as Fields) ?? [];
  yield String([format['end']].flat()[0]);
}

function jsonPieces(schema: unknown, backend: GrammarBackend): Pieces {
  // Any JSON is valid.
  if (schema === true) return ['null'];
  const fault = schemaFault(schema, backend);
  if (fault !== undefined) throw badRequest(fault);
  return schemaText(schema) ?? ['null'];
}

function parsedSchema(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest('Invalid JSON grammar specification.');
  }
}
