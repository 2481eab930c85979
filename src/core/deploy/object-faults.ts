// Finds parts of pods that Kubernetes would refuse: fields and words that it does not know, and names that it does not allow.
import { nearest } from '../base/index.ts';
import { type ChartFault, foreignKeys, valueFault } from './chart-faults.ts';
import { type NameKind, nameRules, type Shape, shapes } from './object-shapes.ts';

type Path = ChartFault['path'];

/**
 * Returns a fault for each of them.
 *
 * @param values Any part of the values.
 * @param path Where the part is.
 */
export function objectFaults(values: unknown, path: Path = []): readonly ChartFault[] {
  if (Array.isArray(values)) {
    return values.flatMap((item, index) => objectFaults(item, [...path, index]));
  }
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values).flatMap(([key, value]) => {
    if (path.length === 0 && foreignKeys.has(key)) return [];
    const shape = shapes.get(key);
    return shape === undefined
      ? objectFaults(value, [...path, key])
      : faultsOf(value, shape, [...path, key]);
  });
}

function faultsOf(value: unknown, shape: Shape | undefined, path: Path): readonly ChartFault[] {
  if (shape === undefined || value === undefined || value === null) return [];
  if ('words' in shape) return wordFaults(value, shape.words, path);
  if ('name' in shape) return referenceFaults(value, shape.name, path);
  if ('items' in shape) {
    if (!Array.isArray(value)) return [valueFault(path, 'must be a list in Kubernetes')];
    return [
      ...value.flatMap((item, index) => faultsOf(item, shape.items, [...path, index])),
      ...(shape.unique === undefined ? [] : twiceFaults(value, shape.unique, path)),
    ];
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    return [
      valueFault(path, `must be an object in Kubernetes: ${quoted(Object.keys(shape.keys))}`),
    ];
  }
  return [
    ...(shape.required ?? [])
      .filter((key) => (value as Record<string, unknown>)[key] === undefined)
      .map((key) => valueFault(path, `needs "${key}", which Kubernetes requires there`)),
    ...Object.entries(value).flatMap(([key, below]) =>
      Object.hasOwn(shape.keys, key)
        ? faultsOf(below, shape.keys[key], [...path, key])
        : [keyFault(path, key, Object.keys(shape.keys))],
    ),
  ];
}

/** An empty text is as no key. */
function referenceFaults(value: unknown, kind: NameKind, path: Path): ChartFault[] {
  const { pattern, charactersMax, rule } = nameRules[kind];
  if (value === '' || (typeof value === 'string' && value.includes('{{'))) return [];
  if (typeof value === 'string' && pattern.test(value) && value.length <= charactersMax) return [];
  const near = kind === 'variable' ? '' : nameOf(String(value), charactersMax);
  const instead = near === '' ? '' : `: "${near}" would do`;
  return [
    valueFault(
      path,
      `is ${JSON.stringify(value)}; such a name has ${rule} in Kubernetes${instead}`,
    ),
  ];
}

/** The nearest name that is allowed; empty if there is none. */
function nameOf(text: string, charactersMax: number): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, charactersMax)
    .replace(/^-+|-+$/g, '');
}

function twiceFaults(items: readonly unknown[], field: string, path: Path): ChartFault[] {
  const seen = new Set<unknown>();
  return items.flatMap((item, index) => {
    const value = (item as Readonly<Record<string, unknown>> | null)?.[field];
    if (typeof value !== 'string' || value === '') return [];
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [
      valueFault(
        [...path, index, field],
        `is "${value}", as in an item before it; give it another`,
      ),
    ];
  });
}

function wordFaults(value: unknown, words: readonly string[], path: Path): ChartFault[] {
  if (typeof value === 'string' && words.includes(value)) return [];
  return [valueFault(path, `is ${JSON.stringify(value)}; Kubernetes knows ${quoted(words)}`)];
}

function keyFault(path: Path, key: string, known: readonly string[]): ChartFault {
  const near = nearest(key, known);
  return valueFault(
    [...path, key],
    `is not known to Kubernetes${near === undefined ? `, which has ${quoted(known)} there` : ` (did you mean "${near}"?)`}`,
  );
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}
