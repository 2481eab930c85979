// Readers that turn parsed JSON into a type, or report where it differs. They are small because the page
// in the browser includes them.

/** @param path Position of the value, for the error. @throws {JsonShapeError} */
export type ShapeReader<T> = (value: unknown, path: string) => T;

/** JSON that does not have the shape that its reader expects. */
export class JsonShapeError extends Error {
  override readonly name = 'JsonShapeError';

  constructor(path: string, wanted: string, value: unknown) {
    const found = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80);
    super(`${path || 'the document'} must be ${wanted}, not ${found}`);
  }
}

export const text: ShapeReader<string> = (value, path) => {
  if (typeof value === 'string') return value;
  throw new JsonShapeError(path, 'a text', value);
};

export const number: ShapeReader<number> = (value, path) => {
  if (typeof value === 'number') return value;
  throw new JsonShapeError(path, 'a number', value);
};

export const boolean: ShapeReader<boolean> = (value, path) => {
  if (typeof value === 'boolean') return value;
  throw new JsonShapeError(path, 'true or false', value);
};

export function nullable<T>(read: ShapeReader<T>): ShapeReader<T | null> {
  return (value, path) => (value === null ? null : read(value, path));
}

export function oneOf<const T extends string>(allowed: readonly T[]): ShapeReader<T> {
  return (value, path) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new JsonShapeError(path, `one of ${allowed.join(', ')}`, value);
  };
}

export function listOf<T>(read: ShapeReader<T>): ShapeReader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new JsonShapeError(path, 'a list', value);
    return value.map((item, i) => read(item, `${path}[${i}]`));
  };
}

/** Omits unknown keys: a newer version may have written them. */
export function objectOf<T extends object>(
  readers: { readonly [Key in keyof T]-?: ShapeReader<T[Key]> },
): ShapeReader<T> {
  const entries = Object.entries(readers) as [string, ShapeReader<unknown>][];
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new JsonShapeError(path, 'an object', value);
    }
    const given = value as Readonly<Record<string, unknown>>;
    const dot = path === '' ? '' : `${path}.`;
    // Every key of T is read by its own reader.
    return Object.fromEntries(
      entries.map(([key, read]) => [key, read(given[key], dot + key)]),
    ) as T;
  };
}

/** A parser of JSON text. Its errors are a `SyntaxError` or a `JsonShapeError`. */
export function parserOf<T>(read: ShapeReader<T>): (json: string) => T {
  return (json) => read(JSON.parse(json), '');
}
