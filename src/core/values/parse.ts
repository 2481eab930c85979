// Reads YAML as Helm reads it (YAML 1.1 booleans and octals included), keeping places and comments.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type ScalarTag,
  Scalar as YamlScalar,
} from 'yaml';
import type { Problem } from './problem.ts';
import {
  type Dictionary,
  type Entry,
  emptyMap,
  type Place,
  type Scalar,
  type Tree,
} from './tree.ts';

export interface ParsedValues {
  readonly tree: Dictionary;
  readonly problems: readonly Problem[];
}

/** Most values in one file after anchors are expanded: stops files that multiply by aliases. */
const nodesMax = 100_000;
/** Deepest nesting; also what stops an anchor that contains itself. */
const depthMax = 100;

/**
 * Parses the text of one values file.
 *
 * @param source The file's name, for places.
 * @returns The values, and what is wrong with the YAML; with problems, the values are incomplete.
 */
export function parseValues(text: string, source: string): ParsedValues {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'core',
    customTags: (tags) => [...helmTags, ...tags],
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    stringKeys: false,
  });
  const problems: Problem[] = document.errors.map((error) => ({
    place: placeOf(error.pos[0]),
    sentence: `not valid YAML: ${yamlSentence(error.code, error.message)}`,
  }));
  if (problems.length > 0) return { tree: emptyMap(source), problems };
  if (document.contents === null) return { tree: emptyMap(source), problems };
  let nodes = 0;
  const tree = convert(document.contents as ParsedNode, 0);
  if (tree.kind !== 'map') {
    if (tree.kind === 'leaf' && tree.value === null) return { tree: emptyMap(source), problems };
    problems.push({ place: tree.place, sentence: 'a values file must hold a map of keys' });
    return { tree: emptyMap(source), problems };
  }
  return { tree, problems };

  function placeOf(offset: number): Place {
    const { line, col } = lines.linePos(offset);
    return { source, line, column: col };
  }

  function convert(node: ParsedNode | null, depth: number, at?: Place): Tree {
    nodes += 1;
    const place = at ?? placeOf(node?.range[0] ?? 0);
    if (nodes > nodesMax || depth > depthMax) {
      if (problems.length === 0) {
        problems.push({
          place,
          sentence:
            depth > depthMax
              ? `nested deeper than ${depthMax} levels, or an anchor that contains itself`
              : `more than ${nodesMax} values, anchors expanded`,
        });
      }
      return { kind: 'leaf', place, value: null };
    }
    if (isAlias(node)) {
      const target = node.resolve(document as Document) as ParsedNode | undefined;
      return convert(target ?? null, depth + 1, place);
    }
    if (isMap(node))
      return convertMap(node.items as Pair<ParsedNode, ParsedNode | null>[], place, depth);
    if (isSeq(node)) {
      const items = (node.items as ParsedNode[]).map((item) => convert(item, depth + 1));
      return { kind: 'list', place, items };
    }
    return { kind: 'leaf', place, value: scalarOf(isScalar(node) ? node.value : null) };
  }

  function convertMap(
    pairs: readonly Pair<ParsedNode, ParsedNode | null>[],
    place: Place,
    depth: number,
  ): Dictionary {
    const entries = new Map<string, Entry>();
    const merged: Dictionary[] = [];
    for (const { key, value } of pairs) {
      const keyPlace = placeOf(key.range[0]);
      if (!isScalar(key)) {
        problems.push({ place: keyPlace, sentence: 'a key must be a text, not a list or a map' });
        continue;
      }
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      if (name === '<<' && key.type === YamlScalar.PLAIN) {
        merged.push(...mergedMaps(convert(value, depth + 1)));
        continue;
      }
      const earlier = entries.get(name);
      if (earlier !== undefined) {
        problems.push({
          place: keyPlace,
          sentence: `duplicate key ${name}: it is already set on line ${earlier.place.line}; keep one of them`,
        });
        continue;
      }
      if (name === '__proto__') {
        problems.push({ place: keyPlace, sentence: '__proto__ cannot be used as a key' });
        continue;
      }
      const above = (key as { commentBefore?: string | null }).commentBefore;
      entries.set(name, {
        place: keyPlace,
        value: convert(value, depth + 1, value === null ? keyPlace : undefined),
        above: above ?? undefined,
        beside: value?.comment ?? undefined,
      });
    }
    // As YAML says: own keys win over merged ones, earlier merged maps over later ones.
    for (const { entries: more } of merged) {
      for (const [name, entry] of more) if (!entries.has(name)) entries.set(name, entry);
    }
    return { kind: 'map', place, entries };
  }

  function mergedMaps(tree: Tree): Dictionary[] {
    if (tree.kind === 'map') return [tree];
    if (tree.kind === 'list') return tree.items.flatMap(mergedMaps);
    problems.push({ place: tree.place, sentence: '<< must name a map, or a list of maps' });
    return [];
  }
}

function scalarOf(value: unknown): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return value === null || value === undefined ? null : String(value);
}

/** The parser's message without its position and hints, as the rest of a sentence. */
function yamlSentence(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab cannot be used for indentation; use spaces';
  if (code === 'MULTIPLE_DOCS') {
    return 'a values file has one document; give what follows --- in a file of its own';
  }
  const first = message.split('\n')[0] ?? message;
  const sentence = first.replace(/\.$/, '');
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/**
 * Plain scalars that Helm's YAML library still reads as YAML 1.1 does. A file must not mean
 * one thing to `helm install` and another to `spillway up`.
 * @see https://github.com/go-yaml/yaml/blob/v2/resolve.go
 */
const helmTags: ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON)$/,
    identify: () => false,
    resolve: () => true,
  },
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:n|N|no|No|NO|off|Off|OFF)$/,
    identify: () => false,
    resolve: () => false,
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    format: 'OCT',
    test: /^[-+]?0[0-7_]+$/,
    identify: () => false,
    resolve: (text) => Number.parseInt(text.replaceAll('_', ''), 8),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?[1-9][0-9]*(?:_[0-9]+)+$/,
    identify: () => false,
    resolve: (text) => Number(text.replaceAll('_', '')),
  },
];
