// Formats and compares values as Python does, for vLLM's checks and error messages.

/** @example pythonRepr("it's"); // '"it\'s"' */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(notPrintable, codePoint);
  return quote + (quote === "'" ? escaped.replace(/'/g, "\\'") : escaped) + quote;
}

/**
 * Characters for which str.isprintable() is false, except the space; applied after the named
 * escapes.
 */
const notPrintable = /[[\p{C}\p{Z}]--[\x20]]/gv;

function codePoint(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  const digits = point.toString(16);
  if (point < 0x100) return `\\x${digits.padStart(2, '0')}`;
  return point < 0x1_0000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}

/** Formats a float as Python does: `3.0` where JavaScript writes `3`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return pythonNumber(value);
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) {
    return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value);
  }
  // Exponents have at least two digits.
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/**
 * Formats a JSON value like Python's repr().
 *
 * @example pythonValue({ a: [1, true, null] }); // "{'a': [1, True, None]}"
 */
export function pythonValue(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'string') return pythonRepr(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return pythonNumber(value);
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(', ')}]`;
  const pairs = Object.entries(value).map(
    ([key, one]) => `${pythonRepr(key)}: ${pythonValue(one)}`,
  );
  return `{${pairs.join(', ')}}`;
}

/** Like str(): text without quotes, everything else as repr(). */
export function pythonText(value: unknown): string {
  return typeof value === 'string' ? value : pythonValue(value);
}

/** Returns whether Python treats the value as true: not null, false, zero, or empty. */
export function isTruthy(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Returns the name of a JSON value's type in Python. */
export function pythonType(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'object') return 'dict';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  return Number.isInteger(value) && Math.abs(Number(value)) < 1e21 ? 'int' : 'float';
}

function pythonNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? String(BigInt(value)) : String(value);
}
