import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../core/base/index.ts';
import { ReasoningSplitter, thinkFirst } from './thinking.ts';

test('generates reasoning, then its end mark, then the answer', () => {
  const source = thinkFirst({
    thoughts: { next: () => 1 },
    end: [2, 3],
    answer: { next: () => 4 },
    random: seededRandom(0),
  });
  const tokens = Array.from({ length: 300 }, () => source.next());
  const end = tokens.indexOf(2);
  assert.ok(end >= 64 && end < 192);
  assert.deepEqual(tokens.slice(end - 1, end + 3), [1, 2, 3, 4]);
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
