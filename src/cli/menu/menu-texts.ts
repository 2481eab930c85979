// The texts of the menu: values on one line, and answers as values.
import { parse, stringify } from 'yaml';
import {
  accepts,
  allowedText,
  helmYaml,
  type MenuEntry,
  type SchemaNode,
} from '../../core/values/index.ts';

/** Characters of a value shown beside its key. */
const valueLengthMax = 48;

/** A key's name, and for an item of a list also the name that it gives itself. */
export function nameOf({ path, written }: MenuEntry): string {
  const step = path.at(-1);
  if (typeof step === 'string') return step;
  const { name } = (written ?? {}) as { readonly name?: unknown };
  return typeof name === 'string' ? `${step}: ${name}` : String(step);
}

export function valueText({ written, standard }: MenuEntry): string {
  return written === undefined ? standardText(standard) : shortened(inputText(written));
}

export function standardText(standard: unknown): string {
  return standard === undefined ? 'not set' : `${shortened(inputText(standard))} (default)`;
}

function shortened(text: string): string {
  return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax - 1)}…` : text;
}

export function changeText(value: unknown): string {
  return value === undefined ? 'not set' : shortened(inputText(value));
}

/** The values of a key that has few: booleans and names. */
export function choicesOf(node: SchemaNode): readonly unknown[] | undefined {
  if (node.type === 'boolean') return [true, false];
  return node.enum;
}

export function helpText({ node, standard }: MenuEntry): string {
  const lines = [`Allowed: ${allowedText(node)}.`];
  if (standard !== undefined) lines.push(`Default: ${shortened(inputText(standard))}.`);
  return lines.join('\n');
}

/** A value on one line; lists and maps as YAML in brackets. */
export function inputText(value: unknown): string {
  if (typeof value === 'string') return value;
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim();
}

/** Reads an answer: a text where only texts are allowed, YAML otherwise. */
export function answerValue(answer: string, node: SchemaNode): unknown {
  const isText = (['boolean', 'number', 'array', 'object'] as const).every(
    (type) => !accepts(node, type),
  );
  if (isText) return answer.trim();
  try {
    return parse(answer, helmYaml);
  } catch {
    return answer;
  }
}
