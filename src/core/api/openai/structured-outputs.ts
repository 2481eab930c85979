// Constraints on the form of a response: the fields `response_format` and `structured_outputs` of a
// request.
import { checkConstraintSize, checkConstraintText } from '../grammar/constraint-bounds.ts';
import { checkTagSize } from '../grammar/structural-tag.ts';
import { badRequest } from './api-error.ts';
import { pythonValue } from './python-repr.ts';
import {
  anything,
  boolean,
  dictionary,
  type Issue,
  list,
  literal,
  notNull,
  object,
  type Parser,
  type Read,
  string,
  union,
} from './schema.ts';

const legacyTag = object(
  { begin: notNull(string), schema: dictionary(anything), end: notNull(string) },
  ['begin', 'end'],
);
const tagType = notNull(literal('structural_tag'));

/** `response_format` of both generation routes: three models, tried in turn. */
const formats = union(
  object(
    {
      type: notNull(literal('text', 'json_object', 'json_schema')),
      json_schema: object(
        {
          name: notNull(string),
          description: string,
          schema: dictionary(anything),
          strict: boolean,
        },
        ['name'],
      ),
    },
    ['type'],
  ),
  object({ type: tagType, format: notNull(anything) }, ['type', 'format']),
  object(
    {
      type: tagType,
      structures: notNull(list(notNull(legacyTag))),
      triggers: notNull(list(string)),
    },
    ['type', 'structures', 'triggers'],
  ),
);

export interface ResponseFormat {
  readonly type?: 'text' | 'json_object' | 'json_schema' | 'structural_tag' | null | undefined;
  readonly json_schema?:
    | { readonly name?: string | null | undefined; readonly schema?: unknown }
    | null
    | undefined;
  readonly structures?: readonly unknown[] | null | undefined;
  readonly triggers?: readonly unknown[] | null | undefined;
  readonly format?: unknown;
}

export const responseFormatField = formats as Parser<ResponseFormat>;

const text = union(string, dictionary(anything));
const constraintFields = {
  json: text,
  regex: string,
  choice: list(notNull(string)),
  grammar: string,
  json_object: boolean,
  disable_any_whitespace: notNull(boolean),
  disable_additional_properties: notNull(boolean),
  whitespace_pattern: string,
  structural_tag: string,
} as const;

export type StructuredOutputs = Read<typeof constraintFields>;

/** vLLM's StructuredOutputsParams: exactly one kind of constraint. */
export const structuredOutputsField: Parser<unknown> = (value, loc, issues) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const msg = 'Input should be a dictionary or an instance of StructuredOutputsParams';
    const ctx = "{'class_name': 'StructuredOutputsParams'}";
    issues.push({ type: 'dataclass_type', loc, msg, input: value, ctx });
    return undefined;
  }
  const own: Issue[] = [];
  const read = object(constraintFields)(value, loc, own);
  for (const issue of own) issues.push(issue);
  if (read === undefined || own.length > 0) return undefined;
  checkOneConstraint(read);
  return read;
};

const kinds = ['json', 'regex', 'choice', 'grammar', 'json_object', 'structural_tag'] as const;

/** @throws {ApiError} 400 unless there is exactly one kind of constraint. */
function checkOneConstraint(outputs: StructuredOutputs): void {
  const count = kinds.filter((kind) => outputs[kind] != null).length;
  if (count === 1) return;
  const state = pythonValue({
    ...Object.fromEntries(
      ['json', 'regex', 'choice', 'grammar', 'json_object'].map((name) => [
        name,
        outputs[name as 'json'] ?? null,
      ]),
    ),
    disable_any_whitespace: outputs.disable_any_whitespace ?? false,
    disable_additional_properties: outputs.disable_additional_properties ?? false,
    whitespace_pattern: outputs.whitespace_pattern ?? null,
    structural_tag: outputs.structural_tag ?? null,
    _backend: null,
    _backend_was_auto: false,
  });
  throw badRequest(
    count > 1
      ? `You can only use one kind of structured outputs constraint but multiple are specified: ${state}`
      : `You must use one kind of structured outputs constraint but none are specified: ${state}`,
  );
}

/**
 * Returns the constraint of a request; `response_format` overrides `structured_outputs`.
 *
 * @throws {ApiError} 400 if the two together contain more than one, or a schema is missing.
 */
export function constraintOf(request: {
  readonly response_format?: ResponseFormat | null | undefined;
  /** As parsed by `structuredOutputsField`. */
  readonly structured_outputs?: unknown;
}): StructuredOutputs | undefined {
  const format = request.response_format;
  const given = (request.structured_outputs ?? undefined) as StructuredOutputs | undefined;
  if (format == null || format.type === 'text') return given;
  const override: StructuredOutputs =
    format.type === 'json_object'
      ? { json_object: true }
      : format.type === 'json_schema'
        ? { json: (format.json_schema?.schema ?? null) as never }
        : { structural_tag: JSON.stringify(format) };
  const merged = { ...given, ...override };
  checkOneConstraint(merged);
  return merged;
}

/** vLLM's MAX_STRUCTURED_OUTPUT_JSON_NESTING, and the additional nesting of a structural tag. */
const nestingMax = 64;
const tagNestingMax = 16;

/**
 * Runs vLLM's own checks on a constraint, which come before its grammar library.
 *
 * @throws {ApiError} 400 if one of them fails, or if the constraint is too large to compile here.
 */
export function checkConstraint(outputs: StructuredOutputs | undefined): void {
  if (outputs === undefined) return;
  const { choice, grammar, json, json_object: object, regex, structural_tag: tag } = outputs;
  if (choice?.length === 0) throw badRequest("Choice '[]' cannot be an empty list");
  if (grammar?.trim() === '') {
    throw badRequest('structured_outputs.grammar cannot be an empty string');
  }
  if (typeof json === 'string' && json.trim() === '') {
    throw badRequest('structured_outputs.json cannot be an empty string');
  }
  checkSizes(outputs);
  checkNesting(json, nestingMax);
  checkNesting(tag, nestingMax + tagNestingMax);
  if (object === false) {
    throw badRequest(
      'structured_outputs.json_object must be True if set; omit structured_outputs to disable structured outputs',
    );
  }
  if (regex?.includes('\0')) {
    throw badRequest("structured_outputs.regex must not contain a NUL character ('\\x00')");
  }
  if (tag?.trim() === '') {
    throw badRequest('structured_outputs.structural_tag cannot be an empty string');
  }
}

/**
 * vLLM has no such bounds: it compiles in threads of its own.
 *
 * @throws {ApiError} 400 if a constraint is too large to compile.
 */
export function checkSizes(outputs: StructuredOutputs | undefined): void {
  const { json, structural_tag: tag } = outputs ?? {};
  if (typeof json === 'string') checkConstraintText(json, 'JSON schema');
  checkConstraintSize(typeof json === 'string' ? parsed(json) : json, 'JSON schema');
  if (tag != null) checkTagSize(tag);
}

function checkNesting(spec: unknown, levelsMax: number): void {
  let level: readonly unknown[] = [typeof spec === 'string' ? parsed(spec) : spec];
  for (let depth = 0; depth < levelsMax && level.length > 0; depth++) {
    level = level
      .flatMap((node) => (isNode(node) ? Object.values(node as object) : []))
      .filter(isNode);
  }
  if (level.length === 0) return;
  throw badRequest(
    `The JSON schema is nested too deeply: objects and arrays may nest at most ${nestingMax} levels`,
  );
}

function isNode(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Text that is not JSON is reported where it is parsed. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
