// Finds control characters in keys and values: they end up in command lines, units, objects and logs.
import type { Problem } from './problem.ts';
import { childSchema, type SchemaNode, valuesRoot } from './schema-node.ts';
import { type Dictionary, type Path, type Place, pathText, type Tree } from './tree.ts';

/** Everything but tabs and line breaks. */
const never = /[^\P{Cc}\t\n\r]/u;
/** Of a text on one line. */
const notInLine = /\p{Cc}/u;

/** Texts with a schema that may have several lines; lists and maps of any texts may, too. */
const severalLines = ['chatTemplateConfigMap', 'hf_token', 'vllmApiKey', 'apiKey', 'peersKey'];

/** Returns a problem for each text with such a character, at its place. */
export function controlCharacters(written: Dictionary): Problem[] {
  const problems: Problem[] = [];
  const check = (text: string, place: Place, name: string, forbidden: RegExp): void => {
    const [found] = forbidden.exec(text) ?? [];
    if (found === undefined) return;
    problems.push({ place, sentence: `${name} has ${characterText(found)}` });
  };
  const walk = (node: Tree, path: Path, schema: SchemaNode | undefined): void => {
    if (node.kind === 'list') {
      for (const [index, item] of node.items.entries()) {
        walk(item, [...path, index], childSchema(schema, index));
      }
    } else if (node.kind === 'map') {
      for (const [key, { place, value }] of node.entries) {
        check(
          key,
          place,
          `a key ${path.length === 0 ? 'at the top' : `below ${pathText(path)}`}`,
          notInLine,
        );
        walk(value, [...path, key], childSchema(schema, key));
      }
    } else if (typeof node.value === 'string') {
      const key = path.at(-1);
      const isLine =
        schema?.type === 'string' && typeof key === 'string' && !severalLines.includes(key);
      check(node.value, node.place, pathText(path), isLine ? notInLine : never);
    }
  };
  walk(written, [], valuesRoot());
  return problems;
}

function characterText(character: string): string {
  if (character === '\n' || character === '\r') return 'a line break; write it on one line';
  if (character === '\t') return 'a tab; remove it';
  const code = character.codePointAt(0) ?? 0;
  return `the control character U+${code.toString(16).toUpperCase().padStart(4, '0')}; remove it`;
}
