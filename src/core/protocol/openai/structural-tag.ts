// Structural tags: constraints that begin at a trigger in the text. vLLM has its grammar library
// compile them before it reads the schema; here their form is checked, as far as it is documented.
import { badRequest } from './api-error.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Formats that xgrammar knows, with the fields that each must have. */
const formats: Readonly<Record<string, readonly string[]>> = {
  const_string: ['value'],
  json_schema: ['json_schema'],
  any_text: [],
  grammar: ['grammar'],
  regex: ['pattern'],
  qwen_xml_parameter: ['json_schema'],
  sequence: ['elements'],
  or: ['elements'],
  tag: ['begin', 'content', 'end'],
  triggered_tags: ['triggers', 'tags'],
  tags_with_separator: ['tags', 'separator'],
};

/** @throws {ApiError} 400 if the format is none. */
export function checkTagFormat(format: Fields): void {
  const isLegacy = Array.isArray(format['structures']) && Array.isArray(format['triggers']);
  const isValid = 'format' in format || isLegacy;
  if (!isValid || !isTag(format)) throw invalid('response_format');
}

/** @throws {ApiError} 400 if the text is no tag. */
export function checkTagText(text: unknown, param: string): void {
  if (typeof text !== 'string' || text === '') throw invalid(param);
  let tag: unknown;
  try {
    tag = JSON.parse(text);
  } catch {
    throw invalid(param);
  }
  if (typeof tag !== 'object' || tag === null || !isTag(tag as Fields)) throw invalid(param);
}

function invalid(param: string): Error {
  return badRequest(`Invalid ${param} structural_tag specification.`, param);
}

function isTag(tag: Fields): boolean {
  const { structures, triggers } = tag;
  if (structures === undefined) return isFormat(tag['format']);
  if (!Array.isArray(structures) || !Array.isArray(triggers)) return false;
  if (structures.length === 0 || triggers.length === 0) return false;
  return structures.every((one: unknown) => {
    const { begin, end } = Object(one) as Fields;
    const isStarted = triggers.some(
      (trigger) => typeof trigger === 'string' && String(begin).startsWith(trigger),
    );
    return typeof begin === 'string' && typeof end === 'string' && isStarted;
  });
}

function isFormat(format: unknown): boolean {
  if (typeof format !== 'object' || format === null || Array.isArray(format)) return false;
  const fields = format as Fields;
  const type = fields['type'];
  if (typeof type !== 'string' || !Object.hasOwn(formats, type)) return false;
  if (!formats[type]?.every((name) => fields[name] !== undefined)) return false;
  const parts = [fields['elements'], fields['tags']].find(Array.isArray) as unknown[] | undefined;
  const inner = fields['content'] === undefined ? [] : [fields['content']];
  return [...(parts ?? []), ...inner].every((one) => {
    const part = Object(one) as Fields;
    return type.endsWith('tags') || type === 'tags_with_separator'
      ? typeof part['begin'] === 'string' && isFormat(part['content'])
      : isFormat(one);
  });
}
