// Finds where a text stops being JSON, with the position and message of Python's parser.

/**
 * Strings without control characters and with JSON's escapes only; numbers and words; brackets,
 * commas and colons; white space before each.
 */
const token =
  /\s*(?:("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity)|([[\]{},:]))/y;

type Expected = 'value' | 'valueOrClose' | 'key' | 'keyOrClose' | 'colon' | 'commaOrClose' | 'end';

const words: Readonly<Record<Expected, string>> = {
  value: 'Expecting value',
  valueOrClose: 'Expecting value',
  key: 'Expecting property name enclosed in double quotes',
  keyOrClose: 'Expecting property name enclosed in double quotes',
  colon: "Expecting ':' delimiter",
  commaOrClose: "Expecting ',' delimiter",
  end: 'Extra data',
};

/** Longest text in which the place is looked for, in characters: the engine's other requests wait meanwhile. */
const textCharactersMax = 1024 * 1024;

/** @example jsonFault('{"a": }'); // { position: 6, words: 'Expecting value' } */
export function jsonFault(text: string): { readonly position: number; readonly words: string } {
  if (text.length > textCharactersMax) return { position: 0, words: words.value };
  const open: string[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    token.lastIndex = at;
    const match = token.exec(text);
    const next: Expected | undefined = match ? after(match, expected, open) : undefined;
    if (next === undefined) {
      const position = at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0);
      const isString = text[position] === '"' && mayBeString.has(expected) && !match;
      return isString ? stringFault(text, position) : { position, words: words[expected] };
    }
    expected = next;
    at = token.lastIndex;
  }
}

const mayBeString: ReadonlySet<Expected> = new Set(['value', 'valueOrClose', 'key', 'keyOrClose']);

/** Returns the fault in the string that starts here. @see scanstring_unicode in CPython's _json.c */
function stringFault(text: string, start: number): { position: number; words: string } {
  const unterminated = { position: start, words: 'Unterminated string starting at' };
  for (let at = start + 1; at < text.length; at++) {
    if (text.charCodeAt(at) < 0x20) return { position: at, words: 'Invalid control character at' };
    if (text[at] !== '\\') continue;
    const letter = text[++at];
    if (letter === undefined) return unterminated;
    if (letter === 'u') {
      const digits = /^[0-9a-fA-F]{4}/.test(text.slice(at + 1, at + 5));
      if (!digits) return { position: at, words: 'Invalid \\uXXXX escape' };
    } else if (!'"\\/bfnrt'.includes(letter)) {
      return { position: at - 1, words: 'Invalid \\escape' };
    }
  }
  return unterminated;
}

/** Returns what may follow a token; undefined if the token is not allowed here. */
function after(match: RegExpExecArray, expected: Expected, open: string[]): Expected | undefined {
  const [, string, scalar, mark = ''] = match;
  const closed = (): Expected => (open.length === 0 ? 'end' : 'commaOrClose');
  if (expected === 'colon') return mark === ':' ? 'value' : undefined;
  if (expected === 'key' || expected === 'keyOrClose') {
    if (string !== undefined) return 'colon';
    if (mark !== '}' || expected === 'key') return undefined;
    open.pop();
    return closed();
  }
  if (expected === 'commaOrClose' || (expected === 'valueOrClose' && mark === ']')) {
    const innermost = open.at(-1);
    if (mark === ',' && expected === 'commaOrClose') return innermost === '{' ? 'key' : 'value';
    if (mark !== (innermost === '{' ? '}' : ']')) return undefined;
    open.pop();
    return closed();
  }
  if (expected === 'end') return undefined;
  if (string !== undefined || scalar !== undefined) return closed();
  if (mark !== '[' && mark !== '{') return undefined;
  open.push(mark);
  return mark === '{' ? 'keyOrClose' : 'valueOrClose';
}
