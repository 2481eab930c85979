// Whatever a text has, the reader of the target reads that text, and nothing beside it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { helmText, promqlMatcher, shellWord, unitLine, unitWord } from './index.ts';

/** Characters that mean something to one of the targets, among others. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          '"',
          "'",
          '`',
          '\\',
          '$',
          '$(id)',
          '$HOME',
          '%',
          '%n',
          '%%',
          '{{',
          '}}',
          '{{ fail "x" }}',
        ],
        ...[
          '\n',
          '\r',
          '\t',
          '\u0001',
          '\u007f',
          '\u0085',
          ';',
          '#',
          '!',
          '&',
          '|',
          '*',
          '~',
          '<',
          '>',
        ],
        ...[
          ' ',
          '  ',
          '-',
          '@',
          '+',
          ':',
          '=',
          '[Service]\n',
          'ExecStart=',
          '} or up{',
          '\\\n',
          '\ud800',
        ],
      ),
      fc.string({ unit: 'binary' }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))
  .filter((text) => !text.includes('\0'));
const examples = ['', "'", '\\', 'a\nb', ';', '-n', '"; } or up{a="', '{{ .Values }}', '\\x41'];

test('shell: a POSIX shell hands on each word as it is', () => {
  const texts = [...examples, ...fc.sample(hostile, { numRuns: 500, seed: 7 })];
  const printed = execFileSync('sh', ['-s'], {
    input: `printf '%s\\0' ${texts.map(shellWord).join(' ')}`,
  });
  const wanted = texts.map((text) => text.toWellFormed());
  assert.deepEqual(printed.toString('utf8').split('\0').slice(0, -1), wanted);
  assert.throws(() => shellWord('a\0b'), /NUL/);
});

test('systemd: the words of a command line are read as they are, and values are one line', () => {
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 4 }), hostile, (words, text) => {
      const line = ['/bin/a', ...words].map(unitWord).join(' ');
      assert.doesNotMatch(line, /\p{Cc}|\\$/u);
      assert.deepEqual(readCommandLine(line), [
        '/bin/a',
        ...words.map((one) => one.toWellFormed()),
      ]);
      assert.doesNotMatch(unitLine(text), /\p{Cc}|\\$|^\s|\s$|(?<!%)(?:%%)*%(?!%)/u);
    }),
    { examples: examples.map((text) => [[text], text]) },
  );
  assert.equal(unitLine('100% of a\n[Service]\\'), '100%% of a [Service]');
  assert.throws(() => unitWord('a\0b'), /NUL/);
});

test('PromQL: the value of a matcher is one string literal', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const matcher = promqlMatcher('a', text);
      assert.match(matcher, /^a="(?:[^"\\\n]|\\(?:[abfnrtv\\"]|u[\da-f]{4}))*"$/);
      assert.equal(readGoString(matcher.slice(2)), text.toWellFormed());
    }),
    { examples: examples.map((text) => [text]) },
  );
});

test('Helm: text has no action but those that write braces', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const parts = helmText(text).split(/(\{\{ "\{\{" \}\})/);
      assert.ok(parts.every((part, i) => i % 2 === 1 || !part.includes('{{')));
      assert.equal(parts.map((part, i) => (i % 2 === 1 ? '{{' : part)).join(''), text);
    }),
    { examples: examples.map((text) => [text]) },
  );
});

/** A second reader of command lines, by systemd.syntax(7): quotes, C escapes, specifiers, variables. */
function readCommandLine(line: string): string[] {
  const bytes = [...Buffer.from(line)];
  const words: number[][] = [];
  let [word, quote]: [number[] | undefined, number | undefined] = [undefined, undefined];
  const character = (text: string) => text.charCodeAt(0);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (quote === undefined && (byte === 0x20 || byte === 0x09)) {
      if (word) words.push(word);
      word = undefined;
    } else if (quote === undefined && (byte === character('"') || byte === character("'"))) {
      assert.equal(word, undefined, 'a quote within a word');
      [quote, word] = [byte, []];
    } else if (byte === quote) {
      quote = undefined;
      assert.ok([undefined, 0x20].includes(bytes[at + 1]), 'text after a closing quote');
    } else if (byte === character('\\')) {
      const next = String.fromCharCode(bytes[++at] as number);
      word ??= [];
      if (next === 'x') {
        word.push(Number.parseInt(Buffer.from(bytes.slice(at + 1, at + 3)).toString(), 16));
        at += 2;
      } else {
        const known: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"' };
        word.push(character(known[next] ?? assert.fail(`escape ${next}`)));
      }
    } else if (byte === character('%') || byte === character('$')) {
      assert.equal(bytes[++at], byte, 'a specifier or a variable');
      word ??= [];
      word.push(byte);
    } else {
      word ??= [];
      word.push(byte);
    }
  }
  assert.equal(quote, undefined, 'an open quote');
  if (word) words.push(word);
  return words.map((one) => Buffer.from(one).toString('utf8'));
}

/** A second reader of Go's double-quoted strings. */
function readGoString(literal: string): string {
  const known: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };
  return literal
    .slice(1, -1)
    .replace(/\\(?:u(....)|(.))/g, (_whole, code?: string, letter = '') =>
      code === undefined
        ? (known[letter] ?? letter)
        : String.fromCharCode(Number.parseInt(code, 16)),
    );
}
