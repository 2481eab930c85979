// Checks structural tags: constraints that start at a trigger in the text. vLLM lets its grammar
// library xgrammar compile them before it reads the schema; these checks accept the same forms.
import { badRequest } from '../openai/api-error.ts';
import { checkConstraintSize, checkConstraintText } from './constraint-bounds.ts';
import { grammarInstance } from './grammar-instance.ts';
import { regexInstance } from './regex-instance.ts';
import { schemaFault } from './schema-fault.ts';

type Fields = Readonly<Record<string, unknown>>;

/** @throws {ApiError} 400 if the format is invalid. */
export function checkTagFormat(format: Fields): void {
  checkConstraintSize(format, 'structural tag');
  const isLegacy = Array.isArray(format['structures']) && Array.isArray(format['triggers']);
  const isValid = 'format' in format || isLegacy;
  if (!isValid || !isTag(format)) throw invalid('response_format');
}

/** @throws {ApiError} 400 if the text is not a structural tag. */
export function checkTagText(text: unknown, param: string): void {
  if (typeof text === 'string') checkTagSize(text);
  if (typeof text !== 'string' || !isTagText(text)) throw invalid(param);
}

/** @throws {ApiError} 400 if a tag is too large to compile. Text that is not JSON is reported where it is parsed. */
export function checkTagSize(text: string): void {
  checkConstraintText(text, 'structural tag');
  let tag: unknown;
  try {
    tag = JSON.parse(text);
  } catch {
    return;
  }
  checkConstraintSize(tag, 'structural tag');
}

/** Returns whether a text is the JSON of a tag that xgrammar compiles. */
export function isTagText(text: string): boolean {
  try {
    const tag: unknown = JSON.parse(text);
    return isFields(tag) && isTag(tag);
  } catch {
    return false;
  }
}

function invalid(param: string): Error {
  return badRequest(`Invalid ${param} structural_tag specification.`, param);
}

/** Returns whether xgrammar compiles the tag to a grammar. */
function isTag(tag: Fields): boolean {
  const { structures, triggers, type = 'structural_tag' } = tag;
  if (structures === undefined) return type === 'structural_tag' && isFormat(tag['format']);
  if (!Array.isArray(structures) || !Array.isArray(triggers)) return false;
  return (
    structures.length > 0 &&
    structures.every((one) => isFields(one) && isSchema(one['schema']) && isText(one['end'])) &&
    areTriggered(structures as readonly Fields[], triggers)
  );
}

/** Returns whether each tag starts with exactly one of the triggers. */
function areTriggered(tags: readonly Fields[], triggers: readonly unknown[]): boolean {
  if (triggers.length === 0 || !triggers.every((one) => isText(one) && one !== '')) return false;
  const times = new Map<string, number>();
  for (const one of triggers as readonly string[]) times.set(one, (times.get(one) ?? 0) + 1);
  // Not each tag with each trigger: both lists may have tens of thousands.
  const lengths = [...new Set([...times.keys()].map(({ length }) => length))].toSorted(
    (a, b) => a - b,
  );
  return tags.every(({ begin }) => {
    if (!isText(begin)) return false;
    let found = 0;
    for (const length of lengths) {
      if (length > begin.length) break;
      found += times.get(begin.slice(0, length)) ?? 0;
    }
    return found === 1;
  });
}

/**
 * Returns whether it is a format: by its `type`, or without one by the first format whose fields
 * match.
 */
function isFormat(format: unknown): boolean {
  if (!isFields(format)) return false;
  const { type } = format;
  if (type === undefined) return Object.values(formats).some((fits) => fits(format));
  return (
    typeof type === 'string' && Object.hasOwn(formats, type) && formats[type]?.(format) === true
  );
}

/** Checks of a format's fields, by type. @see xgrammar's structural_tag.py */
const formats: Readonly<Record<string, (format: Fields) => boolean>> = {
  const_string: ({ value }) => isText(value),
  json_schema: ({ json_schema: schema, style = 'json' }) => isSchema(schema) && isStyle(style),
  qwen_xml_parameter: ({ json_schema: schema }) => isSchema(schema),
  any_text: ({ type, excludes = [] }) => type !== undefined && isTexts(excludes),
  token: ({ token }) => Number.isInteger(token),
  exclude_token: ({ type, exclude_tokens: tokens = [] }) => type !== undefined && isTokens(tokens),
  any_tokens: ({ type, exclude_tokens: tokens = [] }) => type !== undefined && isTokens(tokens),
  grammar: ({ grammar }) => isText(grammar) && compiles(() => grammarInstance(grammar)),
  regex: ({ pattern }) =>
    isText(pattern) && pattern !== '' && compiles(() => regexInstance(pattern)),
  sequence: ({ elements }) => isFilled(elements) && elements.every(isFormat),
  or: ({ elements }) => isFilled(elements) && elements.every(isFormat),
  tag: (format) => isTagFormat(format),
  triggered_tags: ({ tags, triggers, ...rest }) =>
    areTags(tags) && Array.isArray(triggers) && areTriggered(tags, triggers) && areSwitches(rest),
  tags_with_separator: ({ tags, separator, ...rest }) =>
    areTags(tags) && isText(separator) && areSwitches(rest),
  optional: ({ content }) => isFormat(content),
  plus: ({ content }) => isFormat(content),
  star: ({ content }) => isFormat(content),
  repeat: ({ content, min, max }) =>
    isFormat(content) && Number.isInteger(min) && Number.isInteger(max),
  dispatch: ({ rules }) => areRules(rules, isText),
  token_dispatch: ({ rules }) => areRules(rules, Number.isInteger),
};

const styles: ReadonlySet<unknown> = new Set(
  'json qwen_xml minimax_xml deepseek_xml glm_xml'.split(' '),
);

function isStyle(style: unknown): boolean {
  return styles.has(style);
}

function isTagFormat({ begin, content, end, type = 'tag' }: Fields): boolean {
  const ends = [end].flat();
  const isEnd = ends.length > 0 && ends.every((one) => isText(one) && one !== '');
  return type === 'tag' && isText(begin) && isFormat(content) && isEnd;
}

function areTags(tags: unknown): tags is readonly Fields[] {
  return isFilled(tags) && tags.every((one) => isFields(one) && isTagFormat(one));
}

function areSwitches({ at_least_one: least = false, stop_after_first: stop = false }: Fields) {
  return typeof least === 'boolean' && typeof stop === 'boolean';
}

function areRules(rules: unknown, isKey: (key: unknown) => boolean): boolean {
  return (
    isFilled(rules) &&
    rules.every((rule) => Array.isArray(rule) && isKey(rule[0]) && isFormat(rule[1]))
  );
}

function isSchema(schema: unknown): boolean {
  return schema === true || (isFields(schema) && schemaFault(schema, 'auto') === undefined);
}

/** @param read Throws if it is not a pattern or grammar. */
function compiles(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isTokens(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => isText(one) || Number.isInteger(one));
}

function isFilled(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}
