// Generates one text that a regular expression matches, for constrained responses.
import { badRequest } from '../openai/api-error.ts';
import { regexCharactersMax } from './constraint-bounds.ts';

/**
 * Returns the shortest obvious match: the first alternative, the fewest repetitions, the first
 * character of a class. Refuses what xgrammar does not support: look-around, back references,
 * flags, boundaries.
 *
 * @throws {ApiError} 400 with vLLM's message if xgrammar does not support the pattern, or if it is too long.
 * @example regexInstance('(yes|no), [0-9]{2}'); // 'yes, 00'
 * @see xgrammar's cpp/regex_converter.cc
 */
export function regexInstance(pattern: string): string {
  if (pattern.length > regexCharactersMax) {
    throw badRequest(
      `The regular expression has ${pattern.length} characters; this engine takes at most ${regexCharactersMax}.`,
    );
  }
  return new RegexReader(pattern).read();
}

/** Maximum length of what repetitions write out; a longer text would fill any response. */
const repeatedCharactersMax = 10_000;
/** Maximum length of a text; what would exceed it is omitted. */
const charactersMax = 100_000;
/** Maximum nesting of groups, which bounds the stack of the reader. */
const nestingMax = 500;
/** Longest notation of a code point: `{10ffff}` with leading zeros. */
const codePointCharactersMax = 16;
/** Longest notation of a repetition, such as `{1,2}`. */
const countCharactersMax = 40;

/** The text repeated, as often as the bound on its length allows; at least once if asked for. */
export function repeated(text: string, times: number): string {
  const most = Math.max(1, Math.floor(repeatedCharactersMax / Math.max(1, text.length)));
  return text.repeat(Math.min(times, most));
}

class RegexReader {
  readonly #characters: readonly string[];
  #at = 0;
  #nesting = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  read(): string {
    const text = this.#alternatives();
    if (this.#at < this.#characters.length) this.#fail("Unmatched ')'");
    return text;
  }

  /** Reads up to the end or the closing parenthesis; returns the first alternative. */
  #alternatives(): string {
    const first = this.#sequence();
    while (this.#next === '|') {
      this.#at++;
      this.#sequence();
    }
    return first;
  }

  #sequence(): string {
    let text = '';
    while (this.#at < this.#characters.length && this.#next !== '|' && this.#next !== ')') {
      const atom = this.#atom();
      const more = repeated(atom, this.#repetitions());
      if (text.length + more.length <= charactersMax) text += more;
    }
    return text;
  }

  #atom(): string {
    const character = this.#characters[this.#at++] as string;
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escaped(unknownEscapes);
      case '.':
        return 'a';
      case '^':
      case '$':
        return '';
      case '*':
      case '+':
      case '?':
        return this.#fail(`Expect element, but got ${character}`);
      case '{':
        return this.#fail('Invalid repetition count.');
      default:
        return character;
    }
  }

  #group(): string {
    if (++this.#nesting > nestingMax) this.#fail('Groups are nested too deeply.');
    if (this.#next === '?') {
      this.#at++;
      const rest = this.#characters.slice(this.#at, this.#at + 2).join('');
      if (rest === '') this.#fail('Group modifier is not finished.');
      if (/^[=!]/.test(rest)) this.#fail('Lookahead is not supported yet.');
      if (/^<[=!]/.test(rest)) this.#fail('Lookbehind is not supported yet.');
      if (rest.startsWith('<')) this.#skipName();
      else if (rest.startsWith(':')) this.#at++;
      else this.#fail('Group modifier flag is not supported yet.');
    }
    const text = this.#alternatives();
    if (this.#next !== ')') this.#fail('The parenthesis is not closed.');
    this.#at++;
    this.#nesting--;
    return text;
  }

  #skipName(): void {
    while (this.#next !== '>') {
      if (this.#next === undefined) this.#fail('Invalid named capturing group.');
      this.#at++;
    }
    this.#at++;
  }

  #class(): string {
    const isNegated = this.#next === '^';
    if (isNegated) this.#at++;
    const ranges: (readonly [string, string])[] = [];
    while (this.#next !== ']') {
      if (this.#next === undefined) this.#fail("Unclosed '['");
      const first = this.#classCharacter();
      const isRange = this.#next === '-' && this.#characters[this.#at + 1] !== ']';
      if (!isRange || first.length !== 1 || this.#characters[this.#at + 1] === undefined) {
        ranges.push(...first);
        continue;
      }
      this.#at++;
      const last = this.#classCharacter();
      const [least, most] = [first[0]?.[0] ?? '', last[0]?.[1] ?? ''];
      if (point(least) > point(most)) {
        this.#fail('Invalid character class: lower bound is larger than upper bound');
      }
      ranges.push([least, most]);
    }
    this.#at++;
    if (ranges.length === 0 && !isNegated) this.#fail('Empty character class is not allowed');
    if (!isNegated) return ranges[0]?.[0] ?? '';
    const isOutside = (one: string) =>
      ranges.every(([least, most]) => point(one) < point(least) || point(one) > point(most));
    return [...'a0 -_Aé你'].find(isOutside) ?? '';
  }

  /** Returns one character as a range of itself, or the ranges of a class like `\d`. */
  #classCharacter(): readonly (readonly [string, string])[] {
    const character = this.#characters[this.#at++] as string;
    if (character !== '\\') return [[character, character]];
    const named = classes[this.#next ?? ''];
    if (named !== undefined) {
      this.#at++;
      return named;
    }
    const text = this.#escaped(/$^/);
    return [[text, text]];
  }

  #escaped(unknown: RegExp): string {
    const letter = this.#characters[this.#at++];
    if (letter === undefined) this.#fail('Escape sequence is not finished.');
    if (unknown.test(letter)) this.#fail(`Escape sequence \\${letter} is not supported yet.`);
    if (letter === 'c') {
      const control = this.#characters[this.#at++];
      if (control === undefined) this.#fail('Escape sequence is not finished.');
      return String.fromCharCode(point(control) % 32);
    }
    const digits = codePoints[letter];
    if (digits !== undefined) return this.#codePoint(digits);
    return classes[letter]?.[0]?.[0] ?? controls[letter] ?? letter;
  }

  #codePoint(digits: RegExp): string {
    const rest = this.#characters.slice(this.#at, this.#at + codePointCharactersMax).join('');
    const braced = /^\{([0-9a-fA-F]+)\}/.exec(rest);
    const found = braced ?? digits.exec(rest);
    if (!found) this.#fail('Escape sequence is not finished.');
    this.#at += found[0].length;
    const code = Number.parseInt(found[1] as string, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : this.#fail('Invalid code point.');
  }

  #repetitions(): number {
    const symbol = this.#next;
    if (!isRepetition(symbol)) return 1;
    if (symbol === '{') return this.#counted();
    this.#at++;
    if (this.#next === '?') this.#at++;
    this.#refuseSecond();
    return symbol === '+' ? 1 : 0;
  }

  #counted(): number {
    const longest = this.#at + countCharactersMax;
    let end = this.#at;
    while (end < longest && this.#characters[end] !== '}') end++;
    // With what follows the brace: it may be the mark of a lazy repetition.
    const rest = this.#characters.slice(this.#at, Math.min(end + 2, longest)).join('');
    const counted = /^\{\s*(\d+)\s*(?:,\s*(\d*)\s*)?\}\??/.exec(rest);
    if (!counted) this.#fail('Invalid repetition count.');
    this.#at += counted[0].length;
    this.#refuseSecond();
    const [, least, most] = counted;
    if (most && Number(least) > Number(most)) {
      this.#fail('Lower bound is larger than upper bound');
    }
    return Number(least);
  }

  #refuseSecond(): void {
    if (isRepetition(this.#next)) {
      this.#fail('Two consecutive repetition modifiers are not allowed.');
    }
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #fail(reason: string): never {
    throw badRequest(
      `Failed to transform regex into a grammar: Regex parsing error at position ${this.#at}: ${reason}`,
    );
  }
}

function isRepetition(character: string | undefined): boolean {
  return character === '*' || character === '+' || character === '?' || character === '{';
}

function point(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Digits of a code point without braces, by the letter of its escape sequence. */
const codePoints: Readonly<Record<string, RegExp>> = {
  x: /^([0-9a-fA-F]{2})/,
  u: /^([0-9a-fA-F]{4})/,
  U: /^([0-9a-fA-F]{8})/,
};

/** Back references, boundaries, and Unicode classes. */
const unknownEscapes = /^[1-9bBkpP]$/;

const controls: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  v: '\v',
  '0': '\0',
};

/** Responses use the first character of the first range. */
const classes: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  d: [['0', '9']],
  D: [
    ['a', '\u{10ffff}'],
    ['\0', '/'],
    [':', '`'],
  ],
  w: [
    ['a', 'z'],
    ['A', 'Z'],
    ['0', '9'],
    ['_', '_'],
  ],
  W: [
    [' ', '/'],
    ['\0', '\u001f'],
    [':', '@'],
    ['[', '^'],
    ['`', '`'],
    ['{', '\u{10ffff}'],
  ],
  s: [
    [' ', ' '],
    ['\t', '\r'],
    ['\u00a0', '\u00a0'],
  ],
  S: [
    ['a', '\u009f'],
    ['!', '`'],
    ['\u00a1', '\u{10ffff}'],
  ],
};
