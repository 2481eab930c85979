import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { closedLoop, parseTrace, sliceTrace, TraceReader } from './index.ts';

const row = (timestamp: number, input: number, ids: readonly number[], output = 5) =>
  JSON.stringify({
    timestamp,
    input_length: input,
    output_length: output,
    hash_ids: ids,
  });

test('a row with block ids becomes a request, and the block size is found from the rows', () => {
  const trace = parseTrace([row(500, 600, [0, 1]), '', row(750, 512, [0])], { file: 'a.jsonl' });
  assert.equal(trace.blockTokens, 512);
  assert.deepEqual(trace.requests[0], {
    arrivalSeconds: 0.5,
    promptTokens: 600,
    outputTokens: 5,
    blockIds: [0, 1],
  });
  assert.equal(parseTrace([row(0, 33, [1, 2, 3])], { file: 'b.jsonl' }).blockTokens, 16);
});

test('the largest block size that fits every row is chosen, unless another is likely', () => {
  const lines = [row(0, 16, [1]), row(0, 100, [1]), row(0, 120, [2])];
  const sizeOf = (options: object, rows = lines) => {
    const reader = new TraceReader({ file: 't', ...options });
    for (const line of rows) reader.push(line);
    return reader.blockTokens;
  };
  assert.equal(sizeOf({}), 512);
  assert.equal(sizeOf({ likelyBlockTokens: 128 }), 128);
  assert.equal(sizeOf({ likelyBlockTokens: 1000 }), 1000);
  // The rows decide against what is likely, and leave the largest of the others.
  assert.equal(sizeOf({ likelyBlockTokens: 64 }), 512);
  assert.equal(sizeOf({ likelyBlockTokens: 1000 }, [row(0, 600, [1, 2])]), 512);
  assert.equal(sizeOf({}, [row(0, 200, [1]), row(0, 300, [1, 2])]), 256);
  assert.equal(sizeOf({ blockTokens: 300 }, [row(0, 400, [1, 2])]), 300);
  assert.equal(sizeOf({ likelyBlockTokens: 16 }, []), 16);
});

test('Azure rows arrive relative to the first row, and their prompts share nothing', () => {
  const trace = parseTrace(
    [
      'TIMESTAMP,ContextTokens,GeneratedTokens\r',
      '2023-11-16 23:59:59.9799600,600,10\r',
      '2023-11-17 00:00:00.0319600,3,8\r',
    ],
    { file: 'azure.csv' },
  );
  assert.deepEqual(
    trace.requests.map(({ arrivalSeconds, blockIds }) => [
      Number(arrivalSeconds.toFixed(9)),
      blockIds,
    ]),
    [
      [0, [0, 1]],
      [0.052, [2]],
    ],
  );
});

test('an invalid row is reported in one sentence with file and line', () => {
  const good = row(0, 600, [0, 1]);
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{"timestamp": 1', /^t:2: not JSON/],
    ['[]', /^t:2: a row must be a JSON object, not \[\]/],
    ['null', /^t:2: a row must be a JSON object, not null/],
    ['5', /^t:2: a row must be a JSON object, not 5/],
    ['{"timestamp":1,"input_length":5,"output_length":5}', /^t:2: hash_ids .* not missing/],
    ['{"timestamp":1,"input_length":5,"output_length":5,"hash_ids":7}', /^t:2: hash_ids .* not 7/],
    [row(1, 600, [0, -1]), /^t:2: hash_ids must be a list of whole numbers/],
    ['{"input_length":5,"output_length":5,"hash_ids":[1]}', /^t:2: timestamp .* not missing/],
    [row(1, 1.5, [0]), /^t:2: input_length must be a whole number >= 1, not 1.5/],
    [row(1, 5, [0], 0), /^t:2: output_length must be a whole number >= 1, not 0/],
    [row(-1, 600, [0, 1]), /^t:2: timestamp must be milliseconds or seconds >= 0, not -1/],
    [row(1, 0, []), /^t:2: input_length must be a whole number >= 1, not 0/],
    ['{"timestamp":1,"input_length":5,"hash_ids":[1]}', /^t:2: output_length .* not missing/],
    ['{"delay":1,"session_id":"s","input_length":5,"hash_ids":[1]}', /^t:2: .*delay.*Dynamo/],
    [row(1, 600, [0, 0.5]), /^t:2: hash_ids must be a list of whole numbers/],
    [row(1, 600, [0, 1, 2]), /^t:2: 3 hash_ids do not fit input_length 600/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parseTrace([good, line], { file: 't' }),
      (error: unknown) => error instanceof InputError && message.test(error.message),
      line,
    );
  }
  assert.throws(() => parseTrace([row(5, 1, [0]), row(4, 1, [0])], { file: 't' }), /t:2: .*sorted/);
  assert.throws(
    () => parseTrace(['hello'], { file: 't' }),
    /^InputError: t:1: unknown trace format/,
  );
  assert.throws(() => parseTrace([], { file: 't' }), /no requests/);
});

test('a reader with a given block size refuses a row with another', () => {
  const reader = new TraceReader({ file: 't', blockTokens: 16 });
  assert.throws(() => reader.push(row(0, 600, [0, 1])), /blocks of 16 tokens/);
});

test('a slice starts at 0 s and divides arrivals by the speed', () => {
  const trace = parseTrace(
    [0, 1000, 3000, 9000].map((at) => row(at, 5, [0])),
    { file: 't' },
  );
  const slice = sliceTrace(trace, { skip: 1, requests: 2, speed: 4 });
  assert.deepEqual(
    slice.requests.map((request) => request.arrivalSeconds),
    [0, 0.5],
  );
  assert.throws(() => sliceTrace(trace, { speed: 0 }), RangeError);
});

test('users of a closed loop ask again when a request is complete', () => {
  const requests = [0, 0, 0, 5].map((arrivalSeconds) => ({
    arrivalSeconds,
    promptTokens: 1,
    outputTokens: 1,
    blockIds: [],
  }));
  const source = closedLoop(requests, { blockTokens: 16, users: 2 });
  assert.deepEqual([source.nextSeconds, source.take().arrivalSeconds], [0, 0]);
  assert.deepEqual([source.nextSeconds, source.take().arrivalSeconds], [0, 0]);
  assert.equal(source.nextSeconds, Number.POSITIVE_INFINITY, 'both users wait');
  source.answered(0, 1.5);
  assert.deepEqual([source.nextSeconds, source.take().arrivalSeconds], [1.5, 1.5]);
  source.answered(1, 2);
  assert.deepEqual([source.nextSeconds, source.take().arrivalSeconds], [5, 5]);
  source.answered(2, 3);
  assert.equal(source.nextSeconds, Number.POSITIVE_INFINITY, 'at the end');
});

test('a user of a closed loop asks again after the turnaround', () => {
  const requests = [0, 0].map((arrivalSeconds) => ({
    ...{ arrivalSeconds, promptTokens: 1, outputTokens: 1, blockIds: [0] },
  }));
  const source = closedLoop(requests, { blockTokens: 16, users: 1, turnaroundSeconds: 0.5 });
  assert.equal(source.take().arrivalSeconds, 0);
  source.answered(0, 2);
  assert.equal(source.take().arrivalSeconds, 2.5);
});

test('a row with more tokens than any model takes is refused, instead of a list of their blocks', () => {
  const lines = [
    'TIMESTAMP,ContextTokens,GeneratedTokens',
    '2023-11-16 18:17:03.9799600,4294967296,10',
  ];
  assert.throws(
    () => parseTrace(lines, { file: 'a.csv', blockTokens: 512 }),
    /^InputError: a\.csv:2: ContextTokens and GeneratedTokens must be at most 16777216\.$/,
  );
});
