// Readers that turn parsed JSON into a type, or report where it differs. They are small because the page
// in the browser includes them, and quick because it reads a thousand engines a second: a position is put together only
// for an error.

/** @throws {JsonShapeError} */
export type ShapeReader<T> = (value: unknown) => T;

/** JSON that does not have the shape that its reader expects. */
export class JsonShapeError extends Error {
  override readonly name = 'JsonShapeError';
  readonly #path: string;
  readonly #sentence: string;

  /** @param path Position of the value in what its reader was given. */
  constructor(path: string, sentence: string) {
    super(`${path || 'the document'} ${sentence}`);
    this.#path = path;
    this.#sentence = sentence;
  }

  /** The same error in what contains the value. */
  within(part: string): JsonShapeError {
    const separator = this.#path === '' || this.#path.startsWith('[') ? '' : '.';
    return new JsonShapeError(part + separator + this.#path, this.#sentence);
  }
}

function wrong(wanted: string, value: unknown): JsonShapeError {
  const found = value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 80);
  return new JsonShapeError('', `must be ${wanted}, not ${found}`);
}

export const text: ShapeReader<string> = (value) => {
  if (typeof value === 'string') return value;
  throw wrong('a text', value);
};

export const number: ShapeReader<number> = (value) => {
  if (typeof value === 'number') return value;
  throw wrong('a number', value);
};

export const boolean: ShapeReader<boolean> = (value) => {
  if (typeof value === 'boolean') return value;
  throw wrong('true or false', value);
};

export function nullable<T>(read: ShapeReader<T>): ShapeReader<T | null> {
  return (value) => (value === null ? null : read(value));
}

export function oneOf<const T extends string>(allowed: readonly T[]): ShapeReader<T> {
  return (value) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw wrong(`one of ${allowed.join(', ')}`, value);
  };
}

export function listOf<T>(read: ShapeReader<T>): ShapeReader<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw wrong('a list', value);
    let index = 0;
    try {
      const list: T[] = [];
      for (; index < value.length; index++) list.push(read(value[index]));
      return list;
    } catch (error) {
      throw placed(error, `[${index}]`);
    }
  };
}

/** Omits unknown keys: a newer version may have written them. */
export function objectOf<T extends object>(
  readers: { readonly [Key in keyof T]-?: ShapeReader<T[Key]> },
): ShapeReader<T> {
  const entries = Object.entries(readers) as [string, ShapeReader<unknown>][];
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw wrong('an object', value);
    }
    const given = value as Readonly<Record<string, unknown>>;
    const object: Record<string, unknown> = {};
    let current = '';
    try {
      for (const [key, read] of entries) {
        current = key;
        object[key] = read(given[key]);
      }
    } catch (error) {
      throw placed(error, current);
    }
    // Every key of T is read by its own reader.
    return object as T;
  };
}

function placed(error: unknown, part: string): unknown {
  return error instanceof JsonShapeError ? error.within(part) : error;
}

/** A parser of JSON text. Its errors are a `SyntaxError` or a `JsonShapeError`. */
export function parserOf<T>(read: ShapeReader<T>): (json: string) => T {
  return (json) => read(JSON.parse(json));
}
