import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkOf } from './event-framing.ts';
import type { NamedStreamKind } from './named-event.ts';
import { NamedStream } from './named-stream.ts';
import { StreamMemory } from './stream-memory.ts';
import type { TextTokens } from './text-tokens.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const promptIds = [900, 901, 902];

/** A vocabulary of code points. */
const tokens: TextTokens = {
  isProven: true,
  prove: () => {},
  prompt: () => promptIds,
  encode: (text) => [...text].map((one) => one.codePointAt(0) as number),
  idOf: () => undefined,
};

const named = (data: { readonly type: string }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

/** What an engine writes to a prompt of so many tokens: one event per character, then its end. */
function eventsOf(kind: NamedStreamKind, id: string, inputTokens: number, text: string): string[] {
  const at = { output_index: 0, content_index: 0, item_id: `${id}-item` };
  const usage = { input_tokens: inputTokens, output_tokens: [...text].length };
  if (kind === 'messages') {
    return [
      { type: 'message_start', message: { id, usage: { ...usage, output_tokens: 0 } } },
      ...(text === ''
        ? []
        : [
            { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
            ...[...text].map((one) => ({
              type: 'content_block_delta',
              ...{ index: 0, delta: { type: 'text_delta', text: one } },
            })),
            { type: 'content_block_stop', index: 0 },
          ]),
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
      { type: 'message_stop' },
    ].map(named);
  }
  const item = { id: at.item_id, type: 'message', content: [] as object[], status: 'in_progress' };
  const part = { type: 'output_text', text: '' };
  const whole = { ...item, status: 'completed', content: [{ ...part, text }] };
  const response = { id, created_at: id.length, output: [] as object[], kv_transfer_params: null };
  const done = { ...response, output: text === '' ? [] : [whole], usage };
  return [
    { type: 'response.created', response },
    ...(text === ''
      ? []
      : [
          { type: 'response.output_item.added', output_index: 0, item },
          { type: 'response.content_part.added', ...at, part },
          ...[...text].map((one) => ({ type: 'response.output_text.delta', ...at, delta: one })),
          { type: 'response.output_text.done', ...at, text },
          { type: 'response.content_part.done', ...at, part: { ...part, text } },
          { type: 'response.output_item.done', output_index: 0, item: whole },
        ]),
    { type: 'response.completed', response: done },
  ].map((event, i) => named({ ...event, ...{ sequence_number: i } }));
}

/** The data of events, with one id for each kind, however many engines wrote them. */
function readingOf(events: string): unknown {
  const data = events
    .split('\n\n')
    .filter((one) => one !== '')
    .map((one) => JSON.parse(one.slice(one.indexOf('data: ') + 6)));
  return data.map(({ logprobs: _, ...one }, i) => {
    if ('sequence_number' in one) assert.equal(one.sequence_number, i);
    if (one.response?.usage !== undefined) {
      const { input_tokens: input, output_tokens: output } = one.response.usage;
      return { ...one, response: { ...one.response, usage: { input, output } } };
    }
    return one;
  });
}

const textOf = (bytes: Uint8Array | undefined) =>
  decoder
    .decode(bytes)
    .replace(/(^|\r\n)[\da-f]+\r\n/g, '')
    .replaceAll('\r\n', '');

for (const kind of ['messages', 'responses'] as const) {
  test(`${kind}: wherever engines break, the rest of a sampled text follows in one stream`, () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(14), { minLength: 1, maxLength: 3 }),
        (text, cuts) => {
          const memory = new StreamMemory();
          const stream = new NamedStream(kind, memory);
          const limit = 100;
          const body = encoder.encode(`{"max_tokens":${limit},"max_output_tokens":${limit}}`);
          let seen = '';
          let request: { kv_transfer_params?: { prompt_token_ids: number[] } } = {};
          const write = (id: string, count: number) => {
            const ids = request.kv_transfer_params?.prompt_token_ids ?? promptIds;
            const rest = [...text].slice(ids.length - promptIds.length).join('');
            const events = eventsOf(kind, id, ids.length, rest);
            for (const [i, event] of events.slice(0, count).entries()) {
              seen += textOf(
                stream.take(chunkOf(event, i === events.length - 1), true, i === events.length - 1),
              );
            }
            return events.length;
          };
          for (const [i, cut] of cuts.entries()) {
            // At most what precedes the event that ends a response for sure.
            write(`engine ${i}`, cut);
            if (stream.closing() !== undefined) return;
            const next = stream.continuation(body, tokens);
            assert.ok(typeof next === 'object', String(next));
            request = JSON.parse(decoder.decode(next.body));
            const { length } = request.kv_transfer_params?.prompt_token_ids ?? promptIds;
            const left = { messages: 'max_tokens', responses: 'max_output_tokens' }[kind];
            assert.equal((request as never)[left], limit - (length - promptIds.length));
            stream.continueAt();
          }
          write('last', 99);
          assert.equal(stream.fault, undefined);
          const id = /"id":"([^"-]*)"/.exec(seen)?.[1] ?? assert.fail(seen);
          const ids = (events: string) => events.replace(/(engine \d|last)(?=-item)/g, 'an');
          assert.deepEqual(
            readingOf(ids(seen)),
            readingOf(ids(eventsOf(kind, id, promptIds.length, text).join(''))),
          );
          stream.close();
          assert.equal(memory.bytes, 0);
        },
      ),
      { seed: 15, numRuns: 500, examples: [['\u2028 ', [0]]] },
    );
  });
}

const begun = (kind: NamedStreamKind) => {
  const stream = new NamedStream(kind, new StreamMemory());
  for (const event of eventsOf(kind, 'a', 3, 'sea').slice(0, 4))
    stream.take(chunkOf(event), true, false);
  return stream;
};
const anyBody = encoder.encode('{"max_tokens":9}');

for (const [kind, wrong] of [
  ['messages', eventsOf('messages', 'b', 3, 'sea')],
  ['messages', [named({ type: 'message_start', ...{ message: { id: 'b' } } })]],
  ['responses', [named({ type: 'response.created', ...{ response: { id: 'b' } } })]],
] as const) {
  test(`${kind}: an engine that does not take the tokens is not believed`, () => {
    const stream = begun(kind);
    assert.ok(typeof stream.continuation(anyBody, tokens) === 'object');
    stream.continueAt();
    assert.equal(stream.take(chunkOf(wrong[0] ?? ''), true, false), undefined);
    assert.equal(stream.fault?.kind, 'mismatch');
  });
}

test('a text block does not become thinking on another engine', () => {
  const stream = begun('messages');
  const next = stream.continuation(anyBody, tokens);
  assert.ok(typeof next === 'object');
  stream.continueAt();
  const content_block = { type: 'thinking', thinking: '' };
  const events = [
    eventsOf('messages', 'b', 3 + next.sentTokens, 'x')[0] ?? '',
    named({ type: 'content_block_start', ...{ index: 0, content_block } }),
  ];
  for (const event of events) stream.take(chunkOf(event), true, false);
  assert.equal(stream.fault?.kind, 'diverged');
});

for (const [what, expected, own, text] of [
  ['no tokenizer', 'tokenizer', { encode: () => undefined }, ''],
  ['another count of the prompt', 'tokens', { prompt: () => [1, 2] }, ''],
  ['an unknown prompt', 'tokens', { prompt: () => undefined }, ''],
  ['a model that marks its answers', 'tokenizer', { idOf: () => 7 }, ''],
  [
    'a prompt that leaves reasoning open',
    'sampled',
    { idOf: (one: string) => ({ '<think>': 902 })[one] },
    '',
  ],
  ['a text that is too long to encode', 'large', {}, 'x'.repeat(70_000)],
] as const) {
  test(`a text does not continue with ${what}`, () => {
    const stream = begun('messages');
    const delta = { type: 'text_delta', text };
    stream.take(
      chunkOf(named({ type: 'content_block_delta', ...{ index: 0, delta } })),
      true,
      false,
    );
    assert.equal(stream.continuation(anyBody, { ...tokens, ...own }), expected);
  });
}

test('a response does not continue before an engine has counted the tokens of a prompt', () => {
  assert.equal(begun('responses').continuation(anyBody, { ...tokens, isProven: false }), 'tokens');
});

test('reasoning continues after the mark that a parser has removed, if the prompt does not end with it', () => {
  const marks = { '<think>': 950, '</think>': 951 } as Record<string, number>;
  for (const [prompt, between] of [
    [promptIds, [950]],
    [[900, 901, 950], []],
    [[950, 951, 900], [950]],
  ] as const) {
    const stream = new NamedStream('messages', new StreamMemory());
    const content_block = { type: 'thinking', thinking: '' };
    const delta = { type: 'thinking_delta', thinking: 'A' };
    for (const event of [
      { type: 'message_start', message: { usage: { input_tokens: 3 } } },
      { type: 'content_block_start', index: 0, content_block },
      { type: 'content_block_delta', index: 0, delta },
    ]) {
      stream.take(chunkOf(named(event)), true, false);
    }
    const idOf = (one: string) => marks[one];
    const next = stream.continuation(anyBody, { ...tokens, idOf, prompt: () => prompt });
    assert.ok(typeof next === 'object');
    const { kv_transfer_params: sent } = JSON.parse(decoder.decode(next.body));
    assert.deepEqual(sent.prompt_token_ids, [...prompt, ...between, 65]);
  }
});

test('a message in which an engine begins the same block twice is declined', () => {
  const stream = begun('messages');
  const start = eventsOf('messages', 'a', 3, 'sea')[1] ?? '';
  stream.take(chunkOf(start), true, false);
  assert.equal(stream.continuation(anyBody, tokens), 'sampled');
});
