import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../../core/base/index.ts';
import { StopChecker } from './stop-checker.ts';
import { syntheticText } from './synthetic-text.ts';
import { scriptedTokens } from './token-source.ts';

const words = { words: [1, 2, 3], openers: [10], capitals: [11], comma: 20, stop: 21 };

test('text is sentences, and the same seed gives the same', () => {
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

test('an answer ends after a whole sentence, and not before its least length', () => {
  const source = syntheticText({ words, random: seededRandom(1), endToken: 99, tokensMin: 60 });
  const tokens: number[] = [];
  while (tokens.at(-1) !== 99 && tokens.length < 5000) tokens.push(source.next());
  assert.ok(tokens.length > 60 && tokens.at(-2) === 21);
});

test('a script ends with the end token', () => {
  const source = scriptedTokens([5, 6], 99);
  assert.deepEqual([source.next(), source.next(), source.next(), source.next()], [5, 6, 99, 99]);
});

test('a stop string is found across tokens and nothing of it gets out', () => {
  const checker = new StopChecker(['STOP'], false);
  assert.equal(checker.push('one ST', true), undefined);
  assert.equal(checker.take(false), 'one');
  assert.equal(checker.push('OP two', true), 'STOP');
  assert.equal(checker.take(true), ' ');
});

test('the stop string stays in the text on request, and below min_tokens it is text', () => {
  const including = new StopChecker(['x'], true);
  assert.equal(including.push('axb', true), 'x');
  assert.equal(including.take(true), 'ax');
  const early = new StopChecker(['x'], false);
  assert.equal(early.push('axb', false), undefined);
  assert.equal(early.take(true), 'axb');
});

test('whatever the cuts, what was sent is the text up to the first stop string', () => {
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
