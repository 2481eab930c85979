// One text that a regular expression matches, for answers that must.
import { badRequest } from '../../../core/protocol/index.ts';

/**
 * The shortest obvious match: the first alternative, the least repetitions, the first character of
 * a class. Look-arounds and back references are not understood.
 *
 * @throws {ApiError} 400 if the pattern is not valid, or its match cannot be made.
 * @example regexInstance('(yes|no), [0-9]{2}'); // 'yes, 00'
 */
export function regexInstance(pattern: string): string {
  let valid: RegExp;
  try {
    valid = new RegExp(`^(?:${pattern})$`, 'su');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badRequest(`Failed to transform regex into a grammar: ${reason}`);
  }
  const text = new Walker(pattern).alternatives();
  if (!valid.test(text)) {
    throw badRequest(`The emulated engine cannot make a text that matches the regex ${pattern}`);
  }
  return text;
}

class Walker {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Reads to the end or the closing parenthesis; gives the first alternative. */
  alternatives(): string {
    const first = this.#sequence();
    while (this.#pattern[this.#at] === '|') {
      this.#at++;
      this.#sequence();
    }
    return first;
  }

  #sequence(): string {
    let text = '';
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at] as string)) {
      const atom = this.#atom();
      text += atom.repeat(this.#repetitions());
    }
    return text;
  }

  #atom(): string {
    const character = this.#pattern[this.#at++] as string;
    if (character === '(') {
      if (this.#pattern.startsWith('?:', this.#at)) this.#at += 2;
      const text = this.alternatives();
      this.#at++;
      return text;
    }
    if (character === '[') return this.#class();
    if (character === '\\') return escaped(this.#pattern[this.#at++] ?? '');
    if (character === '.') return 'a';
    return character === '^' || character === '$' ? '' : character;
  }

  #class(): string {
    const end = this.#pattern.indexOf(']', this.#at + 1);
    const body = this.#pattern.slice(this.#at, end);
    this.#at = end + 1;
    if (body.startsWith('^')) {
      const outside = new RegExp(`[${body}]`, 'u');
      return [...'a0 -_'].find((candidate) => outside.test(candidate)) ?? '';
    }
    return body.startsWith('\\') ? escaped(body[1] ?? '') : (body[0] ?? '');
  }

  #repetitions(): number {
    const rest = this.#pattern.slice(this.#at);
    const counted = /^\{(\d+)(,\d*)?\}\??/.exec(rest);
    if (counted) {
      this.#at += counted[0].length;
      return Number(counted[1]);
    }
    const symbol = /^([*+?])[?+]?/.exec(rest);
    if (!symbol) return 1;
    this.#at += symbol[0].length;
    return symbol[1] === '+' ? 1 : 0;
  }
}

function escaped(letter: string): string {
  const classes: Readonly<Record<string, string>> = {
    d: '0',
    w: 'a',
    s: ' ',
    D: 'a',
    W: ' ',
    S: 'a',
    n: '\n',
    t: '\t',
    r: '\r',
    b: '',
  };
  return classes[letter] ?? letter;
}
