import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { parseTrace, TraceReader, type TraceReaderOptions, type TraceRequest } from './index.ts';

/** Arrivals in seconds, and the notes. */
function read(lines: readonly string[], options: Partial<TraceReaderOptions> = {}) {
  const reader = new TraceReader({ file: 't', ...options });
  const rows: TraceRequest[] = lines.flatMap((line) => reader.push(line) ?? []);
  const { requests, notes } = reader.conclude(rows);
  const { format, blockTokens } = reader;
  return { requests, notes, format, blockTokens, times: requests.map((r) => r.arrivalSeconds) };
}

const blocks = (timestamps: readonly number[], more: object = {}) =>
  timestamps.map((timestamp) =>
    JSON.stringify({
      ...{ ...more, timestamp, input_length: 33, output_length: 9, hash_ids: [1, 2, 3] },
    }),
  );

const bailian = { chat_id: 1, parent_chat_id: -1, type: 'text', turn: 1 };

test('timestamps of rows with chat_id and parent_chat_id are seconds, as Qwen-Bailian’s, and a note says so', () => {
  const { times, notes, blockTokens } = read(blocks([0.114, 5.114, 195.114], bailian));
  assert.deepEqual([times, blockTokens], [[0.114, 5.114, 195.114], 16]);
  assert.match(
    notes.join(),
    /^t: timestamps read as seconds, because rows have chat_id .*3 requests over 195\.0 s; .*--trace-unit ms/,
  );
  // Whole seconds, and a busy service.
  assert.deepEqual(read(blocks([0, 1, 1, 2], bailian)).times, [0, 1, 1, 2]);
});

test('such rows whose times as seconds would be hours apart are milliseconds', () => {
  const { times, notes } = read(blocks([0, 3_600_000, 7_200_000], bailian));
  assert.deepEqual(times, [0, 3600, 7200]);
  assert.match(notes.join(), /read as milliseconds, although rows have chat_id/);
});

test('without such fields, the unit is the one that gives a plausible rate', () => {
  // Mooncake: whole milliseconds.
  assert.deepEqual(read(blocks([0, 3000, 6000])), {
    ...read(blocks([0, 3000, 6000])),
    times: [0, 3, 6],
    notes: [],
  });
  // Fractions, a few per second or minute: seconds.
  assert.deepEqual(read(blocks([0.5, 1.25, 9.75])).times, [0.5, 1.25, 9.75]);
  assert.match(
    read(blocks([0.5, 1.25, 9.75])).notes.join(),
    /seconds, because they have fractions/,
  );
  // A recorded run in milliseconds with fractions: as seconds, it would have one request in two minutes.
  const recorded = read(blocks([46.5, 347.939, 401.5]));
  assert.deepEqual(recorded.times, [0.0465, 0.347939, 0.4015]);
  assert.match(recorded.notes.join(), /read as milliseconds.*give --trace-unit s/);
  // Whole seconds: as milliseconds, a thousand per second.
  const whole = read(blocks([0, 1, 2, 4]));
  assert.deepEqual(whole.times, [0, 1, 2, 4]);
  assert.match(
    whole.notes.join(),
    /seconds, because in milliseconds there would be 750 per second/,
  );
  // No information.
  assert.deepEqual(read(blocks([7, 7])).notes, []);
});

test('a given unit is taken, without a note', () => {
  const given = (timeUnit: 's' | 'ms') => read(blocks([0, 1, 2], bailian), { timeUnit });
  assert.deepEqual([given('s').times, given('s').notes], [[0, 1, 2], []]);
  assert.deepEqual([given('ms').times, given('ms').notes], [[0, 0.001, 0.002], []]);
});

test('rows that are only looked at decide the unit as well', () => {
  const lines = blocks([0, 2, 4, 900, 9000, 18_000]);
  const reader = new TraceReader({ file: 't' });
  const rows = lines.slice(0, 3).flatMap((line) => reader.push(line) ?? []);
  for (const line of lines.slice(3)) assert.equal(reader.lookAt(line), true);
  assert.equal(reader.lookAt('rubbish'), false);
  const { requests, notes } = reader.conclude(rows);
  assert.deepEqual(
    requests.map((r) => r.arrivalSeconds),
    [0, 0.002, 0.004],
  );
  assert.deepEqual(notes, []);
});

test('fields of other names are read where they are given', () => {
  const fields = { timestamp: 'at', inputLength: 'in', outputLength: 'out', hashIds: 'ids' };
  const { requests } = read(['{"at":2,"in":5,"out":6,"ids":[7]}'], { fields, timeUnit: 's' });
  assert.deepEqual(requests, [
    { arrivalSeconds: 2, promptTokens: 5, outputTokens: 6, blockIds: [7] },
  ]);
});

test('both column sets of BurstGPT are read, in seconds and by their names', () => {
  const old = [
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type',
    '5,ChatGPT,472,18,490,Conversation log',
    '45,GPT-4,1087,230,1317,Conversation log',
    '118,ChatGPT,250,0,250,API log',
  ];
  const first = read(old);
  assert.equal(first.format, 'burstgpt-csv');
  assert.deepEqual(
    first.requests.map((r) => [r.arrivalSeconds, r.promptTokens, r.outputTokens, r.sourceModel]),
    [
      [5, 472, 18, 'ChatGPT'],
      [45, 1087, 230, 'GPT-4'],
    ],
  );
  assert.deepEqual(first.requests[1]?.blockIds, [1, 2, 3]);
  assert.match(first.notes.join(), /^t: 1 row with 0 tokens is left out: requests that failed\.$/);
  const newer = read([
    '\uFEFF"Timestamp","Session ID",Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\r',
    '0.0,abc,1.2,ChatGPT,472,18.0,490,Conversation log\r',
    '4.5,"a,""b",2.2,ChatGPT,1087,230,1317,Conversation log\r',
  ]);
  assert.deepEqual(newer.times, [0, 4.5]);
  assert.deepEqual([newer.requests[0]?.outputTokens, newer.notes], [18, []]);
});

test('Azure rows may have further columns, and those of failed requests are left out', () => {
  const { requests, notes } = read([
    'TIMESTAMP,NumImages,ContextTokens,GeneratedTokens',
    '2024-05-10 00:00:00.009930+00:00,1,2162,5',
    '2024-05-10 00:00:01.009930+00:00,0,10,0',
    '2024-05-10 00:00:02.009930+00:00,0,2399,6',
  ]);
  assert.deepEqual(
    requests.map((r) => [r.arrivalSeconds, r.promptTokens]),
    [
      [0, 2162],
      [2, 2399],
    ],
  );
  assert.equal(notes.length, 1);
});

test('a file of another kind is named by its fields, with the formats that are read', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      'timestamp,prompt_tokens,completion_tokens',
      /found the fields timestamp, prompt_tokens, completion_tokens \(a trace of inference-perf\); expected JSON lines/,
    ],
    [
      '{"conversation_hash":"0a","model":"m","conversation":[]}',
      /conversation_hash, .*\(WildChat\); expected/,
    ],
    ['{"delay":3,"session_id":"s","input_length":7,"hash_ids":[0]}', /sessions of Dynamo/],
    ['{"conversations":[]}', /texts \(conversations\).*--dataset-name sharegpt/],
    ['{"messages":[]}', /texts \(messages\).*--dataset-name custom/],
    ['{"prompt":"a"}', /texts \(prompt\).*--dataset-name custom/],
    ['[{"id":1}]', /a list in JSON is not a trace.*sharegpt/],
    [
      '{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}',
      /fields a, .* h, and 1 more; expected/,
    ],
    ['a;b', /found the fields a;b; expected/],
    ['PAR1\u0015\u0004,x', /found binary data, such as Parquet; expected/],
  ];
  for (const [line, message] of cases) {
    assert.throws(
      () => parseTrace([line], { file: 't' }),
      (error: unknown) =>
        error instanceof InputError &&
        error.message.startsWith('t:1: ') &&
        message.test(error.message),
      line,
    );
  }
});

test('a wrong cell of BurstGPT is reported with file and line', () => {
  const header = 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type';
  for (const row of ['x,M,1,2,3,L', '1,M,1.5,2,3,L', '1,M,1', '-1,M,1,2,3,L', ',M,1,2,3,L']) {
    assert.throws(
      () => parseTrace([header, row], { file: 'b' }),
      /^InputError: b:2: expected seconds/,
      row,
    );
  }
  assert.throws(
    () => parseTrace([header, '5,M,1,2,3,L', '4,M,1,2,3,L'], { file: 'b' }),
    /b:3: the timestamp goes back from 5 to 4; rows must be sorted/,
  );
  assert.throws(
    () => parseTrace([header, '5,M,1,2,3,L', `${'9'.repeat(300)},M,1,2,3,L`], { file: 'b' }),
    /b:3: the timestamp is 1e\+300, more than .* a trace lasts 30 years at most/,
  );
});
