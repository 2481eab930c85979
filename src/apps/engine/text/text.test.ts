import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../core/base/index.ts';
import { StopChecker } from '../sequences/stop-checker.ts';
import { scriptedTokens } from '../sequences/token-source.ts';
import { syntheticText } from './synthetic-text.ts';

const words = { words: [1, 2, 3], openers: [10], capitals: [11], comma: 20, stop: 21 };

test('generates sentences, and the same ones for the same seed', () => {
  const text = (seed: number) => {
    const source = syntheticText({
      words,
      random: seededRandom(seed),
      endToken: undefined,
      tokensMin: 0,
    });
    return Array.from({ length: 200 }, () => source.next());
  };
  const tokens = text(7);
  assert.equal(tokens[0], 10);
  assert.ok(tokens.every((token, i) => i === 0 || (token === 11) === (tokens[i - 1] === 21)));
  assert.deepEqual(tokens, text(7));
  assert.notDeepEqual(tokens, text(8));
});

test('a response ends after a whole sentence, and not before its minimum length', () => {
  const source = syntheticText({ words, random: seededRandom(1), endToken: 99, tokensMin: 60 });
  const tokens: number[] = [];
  while (tokens.at(-1) !== 99 && tokens.length < 5000) tokens.push(source.next());
  assert.ok(tokens.length > 60 && tokens.at(-2) === 21);
});

test('a script ends with the end token', () => {
  const source = scriptedTokens([5, 6], 99);
  assert.deepEqual([source.next(), source.next(), source.next(), source.next()], [5, 6, 99, 99]);
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
