import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageNear } from './usage.ts';

const near = (text: string) => usageNear(Buffer.from(text));
const usage =
  '"usage":{"prompt_tokens":12,"total_tokens":15,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8}}';

test('token counts are found at the end of a response, in JSON or in an event', () => {
  const counts = { promptTokens: 12, outputTokens: 3, cachedTokens: 8 };
  assert.deepEqual(near(`{"id":"x",${usage}}`), counts);
  assert.deepEqual(near(`data: {"choices":[],${usage}}\n\ndata: [DONE]\n\n`), counts);
  assert.deepEqual(near('{"usage": {"prompt_tokens": 12}}'), {
    ...{ promptTokens: 12, outputTokens: undefined, cachedTokens: undefined },
  });
  const spaced = '"usage": {\n "prompt_tokens":\t\r\n 120,\n "completion_tokens": 30\n}';
  assert.deepEqual(near(`{${spaced}}`), {
    ...{ promptTokens: 120, outputTokens: 30, cachedTokens: undefined },
  });
});

test('the last of several usages counts, and only near the end', () => {
  const early = '"usage":{"prompt_tokens":1}';
  assert.equal(near(`{${early},${usage}}`)?.promptTokens, 12);
  assert.equal(near(`{${early}}${' '.repeat(2048 - early.length - 1)}`)?.promptTokens, 1);
  assert.equal(near(`{${early}}${' '.repeat(2048)}`), undefined);
  const far = `"usage":{"prompt_tokens":1,"padding":"${'x'.repeat(1100)}","completion_tokens":9}`;
  assert.equal(near(far)?.outputTokens, undefined, 'within 1,024 bytes of its beginning');
});

test('without usage, or with empty usage, nothing is known', () => {
  for (const text of [
    ...['', '{}', '{"usage":null}', '{"usage":{"completion_tokens":3}}'],
    ...[
      '{"usage":{"prompt_tokens":null}}',
      '{"usage":{"prompt_tokens":',
      '{"usage":{"prompt_tokens":"9"}}',
    ],
  ]) {
    assert.equal(near(text), undefined, text);
  }
});

test('usage counts if it begins within the last 2048 bytes, and 1024 characters of it are read', () => {
  const counted = '"usage":{"prompt_tokens":1}';
  const within = (bytes: number) => near(`x${counted.padEnd(bytes)}`)?.promptTokens;
  assert.deepEqual([within(2047), within(2048), within(2049)], [1, 1, undefined]);
  assert.equal(near(counted.padEnd(2049)), undefined);
  const key = '"completion_tokens":9';
  const read = (characters: number) => {
    const start = '"usage":{"prompt_tokens":1,"x":"';
    return near(`${start.padEnd(characters - key.length, 'x')}${key}}`)?.outputTokens;
  };
  assert.deepEqual([read(1024), read(1025)], [9, undefined]);
});

test('a count has decimal digits, fifteen at most', () => {
  const prompt = (digits: string) => near(`{"usage":{"prompt_tokens":${digits}}}`)?.promptTokens;
  assert.equal(prompt('1029384756'), 1_029_384_756);
  assert.equal(prompt('1234567890123456'), 123_456_789_012_345);
  assert.deepEqual([prompt('12:'), prompt('12/')], [12, 12]);
});
