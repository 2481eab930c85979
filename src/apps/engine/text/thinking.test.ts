import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReasoningSplitter, thinkFirst } from './thinking.ts';
import { TokenHistory } from './token-history.ts';

/** Thoughts of 1 with a stop, 9, after every third; the answer is 4. */
function thinking(prompt: readonly number[], count: number): number[] {
  const history = new TokenHistory(1, prompt);
  const source = thinkFirst({
    thoughts: { next: () => ([1, 2, 3].every((i) => history.back(i) === 1) ? 9 : 1) },
    ...{ end: [2, 3], stop: 9, history },
    answer: { next: () => 4 },
  });
  const output: number[] = [];
  while (output.length < count) output.push(source.next(output));
  return output;
}

test('generates reasoning, then its end mark, then the answer', () => {
  const tokens = thinking([7], 400);
  const end = tokens.indexOf(2);
  assert.ok(end >= 4);
  assert.deepEqual(tokens.slice(end - 2, end + 4), [1, 9, 2, 3, 4, 4]);
});

test('reasoning that is continued in a new prompt is the same', () => {
  const whole = thinking([7], 400);
  const end = whole.indexOf(2);
  for (let cut = 0; cut <= end + 2; cut++) {
    const rest = thinking([7, ...whole.slice(0, cut)], 400 - cut);
    assert.deepEqual([...whole.slice(0, cut), ...rest], whole, `cut at ${cut}`);
  }
});

test('finds the mark between reasoning and answer, however the text is split', () => {
  const text = 'a < b </think>\n\nyes';
  for (let cut = 0; cut <= text.length; cut++) {
    const splitter = new ReasoningSplitter(true);
    const first = splitter.push(text.slice(0, cut), false);
    const last = splitter.push(text.slice(cut), true);
    assert.equal(first.reasoning + last.reasoning, 'a < b ', `cut at ${cut}`);
    assert.equal((first.content + last.content).trimStart(), 'yes', `cut at ${cut}`);
  }
});

test('text without an end mark is all reasoning', () => {
  const splitter = new ReasoningSplitter(true);
  assert.deepEqual(splitter.push('a </thi', true), { reasoning: 'a </thi', content: '' });
});
