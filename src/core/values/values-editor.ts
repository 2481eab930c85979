// Edits one values file as a menu does: key by key, checked against the schema, with all comments kept.
import { type Document, isAlias, isCollection, isScalar, parseDocument, YAMLMap } from 'yaml';
import { InputError } from '../base/index.ts';
import { parseValues } from './parse.ts';
import { valuesSchema } from './schema.ts';
import { schemaFaults } from './schema-faults.ts';
import { childSchema, knownKeys, type SchemaNode, schemaAt, valuesRoot } from './schema-node.ts';
import { type Path, pathText, type Step } from './tree.ts';
import { defaultValues, plainValues } from './validate.ts';
import { helmYaml } from './yaml-dialect.ts';

/** One line of the menu. */
export interface MenuEntry {
  readonly path: Path;
  /** A section has keys, a list has sections as items, a value is set at once. */
  readonly kind: 'section' | 'list' | 'value';
  readonly node: SchemaNode;
  /** As in the file; undefined if the file does not have the key. */
  readonly written: unknown;
  /** What holds without the key; undefined if that depends on other keys. */
  readonly standard: unknown;
}

/** A key whose value differs; undefined stands for no key. */
export interface ValueChange {
  readonly path: Path;
  readonly from: unknown;
  readonly to: unknown;
}

export class ValuesEditor {
  readonly #document: Document;
  readonly #before: unknown;
  readonly #name: string;
  readonly #indentSeq: boolean;

  /**
   * @param text The values file; may be empty. Check it first: what the schema refuses cannot be edited.
   * @throws {InputError} If it is not one map in YAML.
   */
  constructor(text: string, name: string) {
    this.#document = parseDocument(text, { ...helmYaml, compat: 'yaml-1.1' });
    const [error] = this.#document.errors;
    if (error !== undefined) throw new InputError(`${name}: ${error.message.split('\n')[0]}`);
    const { contents } = this.#document;
    if (contents === null || (isScalar(contents) && contents.value === null)) {
      this.#document.contents = withCommentOf(contents, this.#document.createNode({})) as never;
    } else if (!(contents instanceof YAMLMap)) {
      throw new InputError(`${name}: a values file is a map of keys.`);
    }
    this.#before = this.#document.toJS();
    this.#name = name;
    this.#indentSeq = indentsLists(text);
  }

  /** The file as it is now. */
  get text(): string {
    const { items } = this.#document.contents as unknown as YAMLMap;
    if (items.length === 0)
      return this.#document.commentBefore?.replace(/^/gm, '#').concat('\n') ?? '';
    return this.#document.toString({ lineWidth: 0, indentSeq: this.#indentSeq });
  }

  /** The keys of a section, or the items of a list. */
  entries(path: Path): readonly MenuEntry[] {
    const node = schemaAt(path);
    const items = this.#at(path);
    const steps: readonly Step[] =
      kindOf(node) === 'list'
        ? Array.from(Array.isArray(items) ? items.keys() : [])
        : (knownKeys(node) ?? []);
    return steps.flatMap((step) => {
      const child = childSchema(node, step);
      return child === undefined ? [] : [this.#entry([...path, step], child)];
    });
  }

  /** @returns Undefined if the schema has no such key. */
  entry(path: Path): MenuEntry | undefined {
    const node = schemaAt(path);
    return node && this.#entry(path, node);
  }

  #entry(path: Path, node: SchemaNode): MenuEntry {
    return {
      ...{ path, node, kind: kindOf(node) },
      written: this.#at(path),
      standard: defaultAt(path) ?? node.default,
    };
  }

  /**
   * Sets a key; maps and lists on the way are made.
   *
   * @throws {InputError} If the file has an alias on the way, which may stand for several places.
   */
  set(path: Path, value: unknown): void {
    this.#openWay(path);
    const isPlain = typeof value !== 'object' || value === null;
    const before = this.#document.getIn(path, true);
    // A plain value replaces the one in its node, which has the comments.
    if (isPlain && isScalar(before)) before.value = value;
    else {
      const node = this.#document.createNode(value);
      this.#document.setIn(path, withCommentOf(before, node));
    }
  }

  /** What the schema says against a value of a key, in one sentence; undefined if it is allowed. */
  refusal(path: Path, value: unknown): string | undefined {
    const trial = new ValuesEditor(this.text, this.#name);
    trial.set(path, value);
    const { tree } = parseValues(trial.text, this.#name);
    const plain = plainValues(tree);
    const { error } = valuesSchema.safeParse(plain);
    if (error === undefined) return undefined;
    const faults = schemaFaults(error, { written: tree, plain, root: valuesRoot() });
    return faults.find((fault) => path.every((step, i) => fault.path[i] === step))?.sentence;
  }

  /** Removes a key, so that its default holds. Sections that become empty go, too. */
  unset(path: Path): void {
    this.#openWay(path);
    if (!this.#document.hasIn(path)) return;
    this.#document.deleteIn(path);
    for (let parent = path.slice(0, -1); parent.length > 0; parent = parent.slice(0, -1)) {
      const node = this.#document.getIn(parent, true);
      // An item of a list keeps its place.
      if (typeof parent.at(-1) === 'number' || !isCollection(node) || node.items.length > 0) return;
      this.#document.deleteIn(parent);
    }
  }

  /** What was changed since the file was read. */
  changes(): readonly ValueChange[] {
    const [before, after] = [leavesOf(this.#before), leavesOf(this.#document.toJS())];
    return Array.from(new Map([...before, ...after]).entries()).flatMap(([key, { path }]) => {
      const [from, to] = [before.get(key)?.value, after.get(key)?.value];
      // Of a section that begins or ends, only its keys are of interest.
      const isSame = from === to || (isEmptyBranch(from ?? to) && isEmptyBranch(to ?? from));
      return isSame || path.length === 0 ? [] : [{ path, from, to }];
    });
  }

  #at(path: Path): unknown {
    return path.reduce<unknown>(
      (value, step) => (value as Record<Step, unknown> | null | undefined)?.[step],
      this.#document.toJS(),
    );
  }

  /** A key without a value, such as `routerSpec:`, becomes an empty map. */
  #openWay(path: Path): void {
    for (let depth = 1; depth < path.length; depth++) {
      const way = path.slice(0, depth);
      const node = this.#document.getIn(way, true);
      if (isAlias(node)) {
        throw new InputError(
          `${pathText(way)} is *${node.source}, which may stand in several places: change it in the file.`,
        );
      }
      if (isScalar(node) && node.value === null) {
        this.#document.setIn(way, withCommentOf(node, this.#document.createNode({})));
      }
    }
  }
}

function kindOf(node: SchemaNode | undefined): MenuEntry['kind'] {
  if (node?.properties !== undefined) return 'section';
  return node?.items?.properties === undefined ? 'value' : 'list';
}

function defaultAt(path: Path): unknown {
  let value: unknown = defaultValues;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<Step, unknown>)[step];
  }
  return value;
}

interface WithComments {
  comment?: string | null | undefined;
  commentBefore?: string | null | undefined;
}

function withCommentOf<T>(from: unknown, to: T): T {
  if (from === null || typeof from !== 'object') return to;
  const { comment, commentBefore } = from as WithComments;
  return Object.assign(to as object, { comment, commentBefore }) as T;
}

/** Whether the first list below a key is indented; both forms are in use. */
function indentsLists(text: string): boolean {
  const [, key, item] =
    /^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:\s*(?:#[^\n]*)?\n)*( *)- /m.exec(text) ?? [];
  return key === undefined || item === undefined || item.length > key.length;
}

/** All values below a path by their path's text; an empty map or list counts as a value. */
function leavesOf(
  value: unknown,
  path: Path = [],
  found: Map<string, Leaf> = new Map(),
): ReadonlyMap<string, Leaf> {
  const isBranch = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isBranch) return found.set(pathText(path), { path, value });
  for (const [key, child] of Object.entries(value)) {
    leavesOf(child, [...path, Array.isArray(value) ? Number(key) : key], found);
  }
  return found;
}

interface Leaf {
  readonly path: Path;
  readonly value: unknown;
}

function isEmptyBranch(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
