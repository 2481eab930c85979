// Parses the text of a values file, with places and comments.
import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  Parser,
  type SchemaOptions,
  type YAMLError,
  YAMLParseError,
  Scalar as YamlScalar,
} from 'yaml';
import type { Problem } from './problem.ts';
import {
  type Dictionary,
  type Entry,
  emptyMap,
  type Path,
  type Place,
  pathText,
  type Scalar,
  type Tree,
} from './tree.ts';
import { helmYaml } from './yaml-dialect.ts';

export interface ParsedValues {
  readonly tree: Dictionary;
  readonly problems: readonly Problem[];
  /** Keys that are set twice, if the last one counts. */
  readonly warnings: readonly Problem[];
  /** False if the text is not YAML: then its values are not checked further. */
  readonly readable: boolean;
}

/**
 * Maximum number of values in one file after anchors are expanded: stops files whose aliases
 * multiply their size.
 */
const nodesMax = 100_000;
/** Errors of YAML that are reported of one file: those behind them are mostly consequences. */
const errorsMax = 100;
/** Maximum nesting; also stops an anchor that contains itself. */
const depthMax = 100;

/**
 * Parses the text of one values file.
 *
 * @param source The file's name, for places.
 * @param dialect Which plain words are booleans and numbers: by default, those of Helm.
 * @param repeatedKeys Whether a key that is set twice is a problem, or the last one counts, as in Helm.
 */
export function parseValues(
  text: string,
  source: string,
  dialect: SchemaOptions = helmYaml,
  repeatedKeys: 'refused' | 'last' = 'refused',
): ParsedValues {
  const lines = new LineCounter();
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { source, line, column: col };
  };
  const none = { tree: emptyMap(source), warnings: [] };
  const document = withoutStacks(() => composed(text, lines, dialect));
  if (document === undefined) {
    const place = { source, line: 1, column: 1 };
    const sentence = `not valid YAML: ${tooDeep}`;
    return { ...none, problems: [{ place, sentence }], readable: false };
  }
  const errors = [...document.errors, ...document.warnings];
  const deep = errors.find(isTooDeep);
  // The parser goes on after it has run out of stack, with errors that say nothing.
  const faults = (deep === undefined ? errors : [deep]).map((error) => ({
    place: placeOf(error.pos[0]),
    sentence: `not valid YAML: ${yamlSentence(error)}`,
  }));
  if (faults.length > 0) return { ...none, problems: faults, readable: false };
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const builder = new TreeBuilder(document, placeOf, problems, ({ place, first, key }) => {
    if (repeatedKeys === 'refused') {
      const sentence = `${key} is set twice, first on line ${first.line}; keep one of them`;
      problems.push({ place, sentence });
    } else {
      const sentence = `${key} is set on line ${first.line} and again on line ${place.line}; the last one counts, as in Helm, and nothing of the first one`;
      warnings.push({ place, sentence });
    }
  });
  const tree = builder.build();
  if (tree.kind === 'map') {
    const above = joined(document.commentBefore, tree.above);
    return { tree: { ...tree, above }, problems, warnings, readable: true };
  }
  if (tree.kind === 'leaf' && tree.value === null) return { ...none, problems, readable: true };
  problems.push({ place: tree.place, sentence: 'the file must contain a map of keys' });
  return { ...none, problems, readable: false };
}

/** The first document of a text; what follows it is an error of it. */
function composed(text: string, lines: LineCounter, dialect: SchemaOptions): Document.Parsed {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({ ...dialect, prettyErrors: false, uniqueKeys: false });
  const tokens = firstErrors(parser.parse(text));
  const [first, second] = composer.compose(tokens, true, text.length);
  const document = first as Document.Parsed;
  if (second !== undefined) {
    const [from, to] = second.range;
    document.errors.push(new YAMLParseError([from, to], 'MULTIPLE_DOCS', 'more than one document'));
  }
  return document;
}

/**
 * Runs a parser whose errors become sentences: the stack of each would cost more than the parsing.
 *
 * @returns undefined if the parser has run out of stack.
 */
function withoutStacks<T>(parse: () => T): T | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * Passes on the first errors of the parser only: of a megabyte of `]`, each byte is one, and each costs what an `Error`
 * with its stack costs.
 */
function* firstErrors(tokens: Iterable<CST.Token>): Generator<CST.Token> {
  let errors = 0;
  for (const token of tokens) {
    if (token.type !== 'error' || ++errors <= errorsMax) yield token;
  }
}

/** A key that a map has twice. */
interface RepeatedKey {
  readonly key: string;
  readonly first: Place;
  readonly place: Place;
}

class TreeBuilder {
  readonly #document: Document.Parsed;
  readonly #placeOf: (offset: number) => Place;
  readonly #problems: Problem[];
  readonly #repeated: (key: RepeatedKey) => void;
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #anchored = new Set<ParsedNode>();
  readonly #targets = new Map<Alias, ParsedNode | undefined>();
  readonly #blamed = new Set<string>();
  #nodes = 0;

  constructor(
    document: Document.Parsed,
    placeOf: (offset: number) => Place,
    problems: Problem[],
    repeated: (key: RepeatedKey) => void,
  ) {
    this.#document = document;
    this.#placeOf = placeOf;
    this.#problems = problems;
    this.#repeated = repeated;
  }

  build(): Tree {
    return this.#convert(this.#document.contents, [], 0);
  }

  #convert(node: ParsedNode | null, path: Path, depth: number, at?: Place): Tree {
    this.#nodes += 1;
    const place = at ?? this.#placeOf(node?.range[0] ?? 0);
    if (this.#nodes > nodesMax || depth > depthMax) {
      if (this.#problems.length === 0) {
        this.#complain(
          place,
          depth > depthMax
            ? `nested deeper than ${depthMax} levels, or an anchor that contains itself`
            : `more than ${nodesMax} values once anchors are expanded`,
        );
      }
      return { kind: 'leaf', place, value: null };
    }
    if (isAlias(node)) {
      const target = this.#target(node);
      if (target === undefined)
        this.#complain(place, `*${node.source} does not name an anchor above it`);
      return this.#convert(target ?? null, path, depth + 1, place);
    }
    this.#rememberAnchor(node);
    const comments = {
      above: node?.commentBefore ?? undefined,
      beside: node?.comment ?? undefined,
    };
    if (isMap(node)) {
      return {
        ...this.#map(node.items as Pair<ParsedNode, ParsedNode | null>[], place, path, depth),
        ...comments,
      };
    }
    if (isSeq(node)) {
      const items = (node.items as ParsedNode[]).map((item, index) =>
        this.#convert(item, [...path, index], depth + 1),
      );
      return { kind: 'list', place, items, ...comments };
    }
    return {
      kind: 'leaf',
      place,
      value: scalarOf(isScalar(node) ? node.value : null),
      ...comments,
    };
  }

  #map(
    pairs: readonly Pair<ParsedNode, ParsedNode | null>[],
    place: Place,
    path: Path,
    depth: number,
  ): Dictionary {
    const entries = new Map<string, Entry>();
    const merged: Dictionary[] = [];
    for (const { key, value } of pairs) {
      const keyPlace = this.#placeOf(key.range[0]);
      if (!isScalar(key)) {
        this.#complain(
          keyPlace,
          'a key must be a text, not a list or a map; {{ … }} of a template is filled in before the file is read',
        );
        continue;
      }
      // The key as written: `on` is a key name here, although it would be a boolean as a value.
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      if (name === '<<' && key.type === YamlScalar.PLAIN) {
        merged.push(...this.#mergedMaps(this.#convert(value, path, depth + 1)));
        continue;
      }
      const full = pathText([...path, name]);
      const earlier = entries.get(name);
      if (earlier !== undefined && this.#isNew(keyPlace)) {
        this.#repeated({ key: full, first: earlier.place, place: keyPlace });
      }
      if (name === '__proto__') {
        this.#complain(keyPlace, `${full} cannot be used as a key`);
      } else {
        entries.set(name, {
          place: keyPlace,
          value: this.#convert(
            value,
            [...path, name],
            depth + 1,
            value === null ? keyPlace : undefined,
          ),
          above: key.commentBefore ?? undefined,
          beside: key.comment ?? undefined,
        });
      }
    }
    // As YAML defines it: explicit keys take precedence over merged ones, earlier merged maps over
    // later ones.
    for (const { entries: more } of merged) {
      for (const [name, entry] of more) if (!entries.has(name)) entries.set(name, entry);
    }
    return { kind: 'map', place, entries };
  }

  #mergedMaps(tree: Tree): Dictionary[] {
    if (tree.kind === 'map') return [tree];
    if (tree.kind === 'list') return tree.items.flatMap((item) => this.#mergedMaps(item));
    this.#complain(tree.place, '<< must name a map, or a list of maps');
    return [];
  }

  /** Nodes are first visited in the order of the text, so the last anchor of a name applies. */
  #rememberAnchor(node: ParsedNode | null): void {
    if (!node?.anchor || this.#anchored.has(node)) return;
    this.#anchored.add(node);
    this.#anchors.set(node.anchor, node);
  }

  /**
   * Returns the node of an alias. Looked up once, because an anchor may be redefined further down.
   */
  #target(alias: Alias): ParsedNode | undefined {
    if (!this.#targets.has(alias)) this.#targets.set(alias, this.#anchors.get(alias.source));
    return this.#targets.get(alias);
  }

  /** An alias repeats the same place; one report is enough. */
  #complain(place: Place, sentence: string): void {
    if (this.#isNew(place)) this.#problems.push({ place, sentence });
  }

  #isNew(place: Place): boolean {
    const where = `${place.line}:${place.column}`;
    const isNew = !this.#blamed.has(where);
    this.#blamed.add(where);
    return isNew;
  }
}

function scalarOf(value: unknown): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  return value === null || value === undefined ? null : String(value);
}

const tooDeep = 'it is nested too deeply';

/** Whether the parser ran out of stack, in its own code or in a regular expression. */
function isTooDeep({ message }: YAMLError): boolean {
  return /call stack|stack overflow/i.test(message);
}

/** Returns the parser's message without its hints, as the rest of a sentence. */
function yamlSentence(error: YAMLError): string {
  const { code, message } = error;
  if (code === 'TAB_AS_INDENT') return 'a tab cannot be used for indentation; use spaces';
  if (isTooDeep(error)) return tooDeep;
  if (code === 'MULTIPLE_DOCS') {
    return 'a values file has one document; put what follows --- into a separate file';
  }
  const sentence = (message.split('\n')[0] ?? message).replace(/[.:]$/, '');
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function joined(...comments: readonly (string | null | undefined)[]): string | undefined {
  const texts = comments.filter((comment) => typeof comment === 'string');
  return texts.length === 0 ? undefined : texts.join('\n\n');
}
