// Where a text stops being JSON, counted and named as Python's parser does.

/** Strings; numbers and words; brackets, commas and colons; white space before each. */
const token =
  /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity)|([[\]{},:]))/y;

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

/** @example jsonFault('{"a": }'); // { position: 6, words: 'Expecting value' } */
export function jsonFault(text: string): { readonly position: number; readonly words: string } {
  const open: string[] = [];
  let expected: Expected = 'value';
  let at = 0;
  for (;;) {
    token.lastIndex = at;
    const match = token.exec(text);
    const next: Expected | undefined = match ? after(match, expected, open) : undefined;
    if (next === undefined) {
      const position = at + (/^\s*/.exec(text.slice(at))?.[0].length ?? 0);
      const isCut = text[position] === '"' && expected !== 'end' && !match;
      return { position, words: isCut ? 'Unterminated string starting at' : words[expected] };
    }
    expected = next;
    at = token.lastIndex;
  }
}

/** What may follow a token; undefined if the token may not stand here. */
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
