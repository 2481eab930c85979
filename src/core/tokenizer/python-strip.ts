// Python's strip(), lstrip() and rstrip() for templates: the interpreter ignores their argument and
// trims what JavaScript treats as white space.

/** The sides that each method strips, by its name. */
const sides: Readonly<Record<string, readonly [start: boolean, end: boolean]>> = {
  strip: [true, true],
  lstrip: [true, false],
  rstrip: [false, true],
};

/** The name by which the interpreter calls `pythonStrip`. */
export const stripFunction = '__python_strip';

/** Characters for which str.isspace() is true. */
const whiteSpace =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000';

/**
 * @param characters Characters to strip. @default all white space
 * @throws {Error} With Jinja's message if the value is not text.
 * @example pythonStrip('\n x\n', 'lstrip', '\n'); // ' x\n'
 */
export function pythonStrip(text: unknown, method: string, characters?: unknown): string {
  if (typeof text !== 'string' && text !== undefined) {
    throw new Error(`'${objectName(text)}' has no attribute '${method}'`);
  }
  const given = text ?? 'undefined';
  const stripped = new Set(typeof characters === 'string' ? characters : whiteSpace);
  const [fromStart, fromEnd] = sides[method] ?? [false, false];
  const points = [...given];
  let start = 0;
  let end = points.length;
  while (fromStart && start < end && stripped.has(points[start] as string)) start++;
  while (fromEnd && end > start && stripped.has(points[end - 1] as string)) end--;
  return points.slice(start, end).join('');
}

/** Returns Jinja's name for a value that lacks an attribute. */
function objectName(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return 'bool object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int object' : 'float object';
  return Array.isArray(value) ? 'list object' : 'dict object';
}

interface Node {
  readonly type?: string;
  [field: string]: unknown;
}

/** Replaces calls of the three methods in a parsed template with calls of `pythonStrip`. */
export function usePythonStrip(node: unknown): void {
  if (Array.isArray(node)) {
    for (const one of node) usePythonStrip(one);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const call = node as Node;
  for (const value of Object.values(call)) usePythonStrip(value);
  if (call.type !== 'CallExpression') return;
  const { type, computed, object, property } = call['callee'] as Node;
  const method = (property as Node | undefined)?.['value'];
  if (type !== 'MemberExpression' || computed === true || typeof method !== 'string') return;
  if (!Object.hasOwn(sides, method)) return;
  const name = { type: 'StringLiteral', value: method };
  call['callee'] = { type: 'Identifier', value: stripFunction };
  call['args'] = [object, name, ...(call['args'] as unknown[])];
}
