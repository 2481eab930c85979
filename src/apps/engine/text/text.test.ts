import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopChecker } from '../sequences/stop-checker.ts';
import { scriptedTokens } from '../sequences/token-source.ts';
import { syntheticText } from './synthetic-text.ts';
import { TokenHistory } from './token-history.ts';

const words = { words: [1, 2, 3], openers: [10], capitals: [11], comma: 20, stop: 21 };

type Options = Parameters<typeof syntheticText>[0];

/** Generates tokens after `prompt`. */
function generated(
  prompt: readonly number[],
  count: number,
  options: Partial<Omit<Options, 'history'>> & {
    readonly key?: number;
    readonly seed?: number | undefined;
  } = {},
): number[] {
  const { key = 1, seed, ...rest } = options;
  const history = new TokenHistory(key, prompt, seed);
  const source = syntheticText({ words, history, endToken: undefined, tokensMin: 0, ...rest });
  const output: number[] = [];
  while (output.length < count && output.at(-1) !== 99) output.push(source.next(output));
  return output;
}

test('generates sentences, and the same ones for the same seed and prompt', () => {
  const tokens = generated([7], 200);
  assert.equal(tokens[0], 10);
  assert.ok(tokens.every((token, i) => i === 0 || (token === 11) === (tokens[i - 1] === 21)));
  const sentences = tokens
    .join(' ')
    .split(' 21')
    .map((text) => text.trim().split(' ').length);
  assert.ok(sentences.slice(0, -1).every((length) => length >= 5 && length <= 16));
  assert.ok(tokens.includes(20));
  assert.deepEqual(tokens, generated([7], 200));
  assert.notDeepEqual(tokens, generated([8], 200));
  assert.notDeepEqual(tokens, generated([7], 200, { key: 2 }));
  assert.notDeepEqual(tokens, generated([7], 200, { seed: 2 }));
});

const prompts = fc.array(fc.nat(30), { maxLength: 80 });

test('a prompt that ends with a part of its response gets the rest', () => {
  fc.assert(
    fc.property(
      prompts,
      fc.nat(120),
      fc.option(fc.nat(), { nil: undefined }),
      (prompt, cut, seed) => {
        const options = { endToken: 99, tokensMin: 40, seed };
        const whole = generated(prompt, 120, options);
        const part = whole.slice(0, cut);
        if (part.at(-1) === 99) return;
        const tokensMin = Math.max(0, 40 - part.length);
        const rest = generated([...prompt, ...part], 120 - part.length, {
          ...{ ...options, tokensMin },
          seed: seed === undefined ? undefined : seed + part.length,
        });
        assert.deepEqual([...part, ...rest], whole);
      },
    ),
  );
});

test('a response ends after a whole sentence, and not before its minimum length', () => {
  const tokens = generated([3], 5000, { endToken: 99, tokensMin: 60 });
  assert.ok(tokens.at(-1) === 99 && tokens.length > 60 && tokens.at(-2) === 21);
});

test('half of the responses have fewer than about 180 tokens', () => {
  const lengths = Array.from(
    { length: 400 },
    (_, i) => generated([i], 10_000, { endToken: 99 }).length,
  ).toSorted((a, b) => a - b);
  const median = lengths[200] ?? 0;
  assert.ok(median > 140 && median < 230, `${median}`);
});

test('a script ends with the end token', () => {
  const source = scriptedTokens([5, 6], 99);
  const next = () => source.next([]);
  assert.deepEqual([next(), next(), next(), next()], [5, 6, 99, 99]);
});

test('finds a stop string across tokens, and sends no part of it', () => {
  const checker = new StopChecker(['STOP'], false);
  assert.equal(checker.push('one ST', true), undefined);
  assert.equal(checker.take(false), 'one');
  assert.equal(checker.push('OP two', true), 'STOP');
  assert.equal(checker.take(true), ' ');
});

test('keeps the stop string in the text on request, and ignores it below min_tokens', () => {
  const including = new StopChecker(['x'], true);
  assert.equal(including.push('axb', true), 'x');
  assert.equal(including.take(true), 'ax');
  const early = new StopChecker(['x'], false);
  assert.equal(early.push('axb', false), undefined);
  assert.equal(early.take(true), 'axb');
});

test('sends the text up to the first stop string, however it is split', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 });
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 12 }), (parts) => {
      const stop = 'abba';
      const checker = new StopChecker([stop], false);
      let sent = '';
      let found: string | undefined;
      for (const part of parts) {
        found = checker.push(part, true);
        sent += checker.take(found !== undefined);
        if (found !== undefined) break;
      }
      if (found === undefined) sent += checker.take(true);
      const whole = parts.join('');
      const at = whole.indexOf(stop);
      assert.equal(sent, at === -1 ? whole : whole.slice(0, at));
    }),
  );
});
