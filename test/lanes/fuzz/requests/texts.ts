// Texts and values at the edges of encodings, types and limits.
import type { Draw } from '../draw.ts';

/** Text that a user could write, and text that none would. */
export function text(draw: Draw): string {
  return draw.make([
    'Say hello to the reader.',
    'What is the weather in Paris?',
    'Hi',
    'a',
    ' leading and trailing ',
    'two\n\nparagraphs\r\nand\ttabs',
    '你好，世界',
    'שלום עולם \u202Emirrored\u202C',
    '🙂👩‍👩‍👧‍👦🇩🇪 emoji',
    'cafe\u0301 ﬁ ①',
    'NUL \u0000 inside',
    '\u0007\u001b[31m',
    '\ufeffbom',
    '\ufffd\uffff',
    '<|im_start|>user\nHi<|im_end|>',
    '<|endoftext|>',
    '<think>no</think>yes',
    '<tool_call>\n{"name": "f"}\n</tool_call>',
    '{{ messages }} {% if x %}',
    '"quoted" \\ and \'single\'',
    '&<>',
    "I'm don't WE'LL",
    '12345 3.14 1,000,000',
    'def f(x):\n    return  x',
    '   ',
    '\n',
    () => `${draw.integer(0, 1e9)} `.repeat(draw.integer(1, 40)),
    () => 'long '.repeat(draw.integer(100, 300)),
    () => (draw.chance(0.1) ? 'past the context '.repeat(3000) : 'short'),
    () => characters(draw, draw.integer(1, 30)),
  ]) as string;
}

/** Characters of any plane that form well-formed text. */
function characters(draw: Draw, length: number): string {
  const one = () => {
    const point = draw.pick([
      draw.integer(0x20, 0x7e),
      draw.integer(0xa0, 0x24f),
      draw.integer(0x370, 0x5ff),
      draw.integer(0x900, 0xdff),
      draw.integer(0x2000, 0x2fff),
      draw.integer(0x3040, 0x9fff),
      draw.integer(0xac00, 0xd7a3),
      draw.integer(0x1f300, 0x1faff),
    ]);
    return String.fromCodePoint(point);
  };
  return Array.from({ length }, one).join('');
}

/** Malformed text: half of a surrogate pair. */
export const loneSurrogate = 'half \ud83d here';

/** Values of every JSON type, for a field that expects one of them. */
export const anyJson: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  5,
  0.5,
  2 ** 31,
  2 ** 53,
  2 ** 64,
  -(2 ** 64),
  1e300,
  '',
  'x',
  '3',
  '0.5',
  'true',
  'inf',
  'none',
  'auto',
  [],
  [1],
  ['a'],
  [null],
  [[1, 2]],
  [{}],
  {},
  { a: 1 },
  { type: 'function' },
  { type: 'text', text: 'x' },
];
