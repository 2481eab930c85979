// Keys of a terminal in raw mode.

export type Key =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'home'
  | 'end'
  | 'page-up'
  | 'page-down'
  | 'enter'
  | 'escape'
  | 'tab'
  | 'ctrl-c'
  | `char:${string}`;

/** Sequences of xterm and the Linux console; in application mode, arrows have O instead of [. */
const sequences: readonly (readonly [string, Key])[] = [
  ['\x1b[A', 'up'],
  ['\x1b[B', 'down'],
  ['\x1b[C', 'right'],
  ['\x1b[D', 'left'],
  ['\x1bOA', 'up'],
  ['\x1bOB', 'down'],
  ['\x1bOC', 'right'],
  ['\x1bOD', 'left'],
  ['\x1b[H', 'home'],
  ['\x1b[F', 'end'],
  ['\x1bOH', 'home'],
  ['\x1bOF', 'end'],
  ['\x1b[1~', 'home'],
  ['\x1b[4~', 'end'],
  ['\x1b[5~', 'page-up'],
  ['\x1b[6~', 'page-down'],
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\t', 'tab'],
  ['\x7f', 'escape'],
  ['\b', 'escape'],
  ['\x03', 'ctrl-c'],
];

/** @see ECMA-48, section 5.4: control sequences. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences begin with a control character
const unknownSequence = /^\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)/;

/**
 * The keys in what a terminal sent at once. Backspace counts as Escape; unknown sequences are ignored.
 *
 * @example parseKeys('j\x1b[A'); // ['char:j', 'up']
 */
export function parseKeys(data: string): Key[] {
  const keys: Key[] = [];
  let rest = data;
  while (rest !== '') {
    const known = sequences.find(([sequence]) => rest.startsWith(sequence));
    const length = known?.[0].length ?? unknownSequence.exec(rest)?.[0].length ?? 1;
    if (known !== undefined) keys.push(known[1]);
    else if (rest === '\x1b') keys.push('escape');
    else if (rest >= ' ' && length === 1) keys.push(`char:${rest[0]}`);
    rest = rest.slice(length);
  }
  return keys;
}
