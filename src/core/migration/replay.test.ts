import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomInteger, seededRandom } from '../base/index.ts';
import { Replay } from './replay.ts';
import { jsonLength, ShownText } from './shown-text.ts';
import type { Delta } from './stream-event.ts';
import { TokenList } from './token-list.ts';

/** A replay of tokens 1, 2, …, of which the client has these texts. */
function replayOf(
  shown: { content?: string; reasoning?: string; calls?: readonly string[] },
  tokens = 3,
) {
  const list = new TokenList();
  for (let id = 1; id <= tokens; id++) list.push(id);
  const has = new ShownText();
  has.content = jsonLength(shown.content ?? '');
  has.reasoning = jsonLength(shown.reasoning ?? '');
  has.calls.push(...(shown.calls ?? []).map(jsonLength));
  return new Replay(list, 0, has, new ShownText());
}

/** What is left of a delta; undefined if nothing can follow what the client has. */
function trimmed(replay: Replay, delta: Delta): Delta | undefined {
  return replay.trim({ index: 0, delta }) ? delta : undefined;
}

describe('a replay', () => {
  it('takes the tokens of the first engine in order, and none else', () => {
    const replay = replayOf({});
    assert.deepEqual([replay.takes(1), replay.takes(2), replay.isOver], [true, true, false]);
    assert.deepEqual([replay.takes(3), replay.isOver], [true, true]);
    assert.equal(replayOf({}).takes(2), false);
  });

  it('removes what the client has, within a text and at its end', () => {
    const replay = replayOf({ content: 'Hello, wor' });
    assert.deepEqual(trimmed(replay, { content: 'Hello' }), {});
    assert.deepEqual(trimmed(replay, { content: ', world' }), { content: 'ld' });
    assert.deepEqual(trimmed(replay, { content: '!' }), { content: '!' });
  });

  it('keeps reasoning under each name that the engine writes', () => {
    for (const names of [
      ['reasoning'],
      ['reasoning_content'],
      ['reasoning', 'reasoning_content'],
    ] as const) {
      const replay = replayOf({ reasoning: 'So' });
      const of = (text: string) => Object.fromEntries(names.map((name) => [name, text])) as Delta;
      assert.deepEqual(trimmed(replay, of('So')), {}, `${names}`);
      assert.deepEqual(trimmed(replay, of(', then')), of(', then'), `${names}`);
    }
    const halfway = replayOf({ reasoning: 'So, th' });
    assert.deepEqual(trimmed(halfway, { reasoning: 'So, then', reasoning_content: 'So, then' }), {
      reasoning: 'en',
      reasoning_content: 'en',
    });
  });

  it('leaves null and empty texts as they are', () => {
    const replay = replayOf({ content: 'x', reasoning: 'y' });
    assert.deepEqual(trimmed(replay, { role: 'assistant', content: '' }), {
      role: 'assistant',
      content: '',
    });
    assert.deepEqual(trimmed(replay, { content: null, reasoning: 'y' }), { content: null });
  });

  it('cannot go on where the client has a part of a character', () => {
    // Three bytes of the four: no engine wrote them so.
    const replay = replayOf({});
    const shown = new ShownText();
    shown.content = 3;
    const list = new TokenList();
    assert.equal(
      trimmed(new Replay(list, 0, shown, new ShownText()), { content: '😀' }),
      undefined,
    );
    assert.equal(replay.isWhole, false);
  });

  it('removes the arguments of a call that the client has, and begins none twice', () => {
    const replay = replayOf({ calls: ['{"a":'] });
    const call = { index: 0, function: { name: 'f', arguments: '{"a"' } };
    assert.deepEqual(trimmed(replay, { content: null, tool_calls: [call] }), {});
    assert.deepEqual(
      trimmed(replay, { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
      {
        tool_calls: [{ index: 0, function: { arguments: '1}' } }],
      },
    );
    const next = { index: 1, function: { name: 'g', arguments: '' } };
    assert.deepEqual(trimmed(replay, { tool_calls: [next] }), { tool_calls: [next] });
  });

  it('gives the client each text once, however both engines cut it into events', () => {
    const random = seededRandom(11);
    const letters = ['a', 'é', '"', '\\', '\n', '語', '😀', '\u0001'];
    for (let round = 0; round < 500; round++) {
      const characters = Array.from(
        { length: 1 + randomInteger(random, 30) },
        () => letters[randomInteger(random, letters.length)] as string,
      );
      const at = randomInteger(random, characters.length + 1);
      const shown = characters.slice(0, at).join('');
      const replay = replayOf({ content: shown, reasoning: shown });
      const got = { content: shown, reasoning: shown, reasoning_content: shown };
      for (let from = 0; from < characters.length; ) {
        const to = Math.min(characters.length, from + 1 + randomInteger(random, 5));
        const text = characters.slice(from, to).join('');
        const delta = trimmed(replay, { content: text, reasoning: text, reasoning_content: text });
        assert.ok(delta !== undefined);
        for (const key of ['content', 'reasoning', 'reasoning_content'] as const)
          got[key] += delta[key] ?? '';
        from = to;
      }
      const whole = characters.join('');
      assert.deepEqual(got, { content: whole, reasoning: whole, reasoning_content: whole });
    }
  });
});
