// Values as written: the same data as plain JSON, with the place of each key and value, so that an
// error found after merging several files still names file and line.

/** The place where a key or value was written. */
export interface Place {
  /** File name as given, or the flag with its text, e.g. `--set a.b=1`. */
  readonly source: string;
  /** Counted from 1; undefined for flags. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** One step of a path: a key of a map or an index of a list. */
export type Step = string | number;
export type Path = readonly Step[];

export type Scalar = string | number | boolean | null;

/** Comment lines as in the YAML file, without `#`. */
export interface Commented {
  readonly above?: string | undefined;
  readonly beside?: string | undefined;
}

export interface Leaf extends Commented {
  readonly kind: 'leaf';
  readonly place: Place;
  readonly value: Scalar;
}

export interface List extends Commented {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly Tree[];
}

/** A key and its value; comments are those of the key. */
export interface Entry extends Commented {
  /** Place of the key. */
  readonly place: Place;
  readonly value: Tree;
}

export interface Dictionary extends Commented {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, Entry>;
}

export type Tree = Leaf | List | Dictionary;

/** Returns an empty file. */
export function emptyMap(source: string): Dictionary {
  return { kind: 'map', place: { source }, entries: new Map() };
}

/** Returns the same data without places. */
export function toPlain(tree: Tree): unknown {
  switch (tree.kind) {
    case 'leaf':
      return tree.value;
    case 'list':
      return tree.items.map(toPlain);
    case 'map':
      return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, toPlain(value)]));
  }
}

/** Makes a tree of plain JSON, with one place for all of it. */
export function fromPlain(data: unknown, place: Place): Tree {
  if (Array.isArray(data)) {
    return { kind: 'list', place, items: data.map((item) => fromPlain(item, place)) };
  }
  if (typeof data === 'object' && data !== null) {
    const entries = Object.entries(data).filter(([, value]) => value !== undefined);
    return {
      kind: 'map',
      place,
      entries: new Map(
        entries.map(([key, value]) => [key, { place, value: fromPlain(value, place) }]),
      ),
    };
  }
  return { kind: 'leaf', place, value: data as Scalar };
}

/**
 * Returns the place where the value at a path was written, or that of its key if `of` is `key`; if
 * the path was not written, that of the nearest enclosing value.
 */
export function placeAt(tree: Tree, path: Path, of: 'key' | 'value' = 'value'): Place {
  let place = tree.place;
  let node: Tree | undefined = tree;
  for (const [depth, step] of path.entries()) {
    const last = depth === path.length - 1;
    if (node.kind === 'map') {
      const entry = node.entries.get(String(step));
      if (entry === undefined) return place;
      place = last && of === 'key' ? entry.place : entry.value.place;
      node = entry.value;
    } else if (node.kind === 'list') {
      const item: Tree | undefined = node.items[Number(step)];
      if (item === undefined) return place;
      place = item.place;
      node = item;
    } else {
      return place;
    }
  }
  return place;
}

/** Returns the value at a path, if it was written. */
export function treeAt(tree: Tree, path: Path): Tree | undefined {
  let node: Tree | undefined = tree;
  for (const step of path) {
    if (node?.kind === 'map') node = node.entries.get(String(step))?.value;
    else if (node?.kind === 'list') node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}

/** Formats a path: `servingEngineSpec.modelSpec[0].name`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else {
      const key = step.replace(/[.,=[\]\\]/g, '\\$&');
      text += text === '' ? key : `.${key}`;
    }
  }
  return text;
}
