import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkOf, joined } from './event-framing.ts';
import type { NamedStreamKind } from './named-event.ts';
import { NamedStream } from './named-stream.ts';
import { StreamMemory } from './stream-memory.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Block {
  readonly isThought: boolean;
  readonly text: string;
}

/** A text in parts that end at these lengths. */
function partsOf(text: string, lengths: readonly number[]): string[] {
  const characters = [...text];
  const parts: string[] = [];
  for (let i = 0; characters.length > 0; i++) {
    parts.push(characters.splice(0, lengths[i % lengths.length]).join(''));
  }
  return parts;
}

const named = (data: { readonly type: string }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

/** A message of these blocks; `id` is that of the engine. */
function messageEvents(blocks: readonly Block[], lengths: readonly number[], id: string): string[] {
  const events: { readonly type: string }[] = [{ type: 'message_start', ...{ message: { id } } }];
  for (const [index, { isThought, text }] of blocks.entries()) {
    const content_block = isThought
      ? { type: 'thinking', thinking: '' }
      : { type: 'text', text: '' };
    events.push({ type: 'content_block_start', ...{ index, content_block } });
    for (const part of partsOf(text, lengths)) {
      const delta = isThought
        ? { type: 'thinking_delta', thinking: part }
        : { type: 'text_delta', text: part };
      events.push({ type: 'content_block_delta', ...{ index, delta } });
    }
    if (isThought) {
      const delta = { type: 'signature_delta', signature: `${id}-${index}` };
      events.push({ type: 'content_block_delta', ...{ index, delta } });
    }
    events.push({ type: 'content_block_stop', ...{ index } });
  }
  events.push({ type: 'message_delta', ...{ delta: { stop_reason: 'end_turn' } } });
  return [...events, { type: 'message_stop' }].map(named);
}

/** A response of these blocks as items. */
function responseEvents(blocks: readonly Block[], lengths: readonly number[], id: string) {
  const events: { readonly type: string }[] = [
    { type: 'response.created', ...{ response: { id, created_at: id.length, output: [] } } },
  ];
  const output: object[] = [];
  for (const [output_index, { isThought, text }] of blocks.entries()) {
    const item_id = `${id}-${output_index}`;
    const item = { id: item_id, type: isThought ? 'reasoning' : 'message' };
    const at = { item_id, output_index, content_index: 0 };
    const name = isThought ? 'reasoning_text' : 'output_text';
    events.push({ type: 'response.output_item.added', ...{ item, output_index } });
    for (const delta of partsOf(text, lengths)) {
      events.push({ type: `response.${name}.delta`, ...{ ...at, delta } });
    }
    events.push({ type: `response.${name}.done`, ...{ ...at, text } });
    const whole = { ...item, content: [{ text }] };
    events.push({ type: 'response.output_item.done', ...{ item: whole, output_index } });
    output.push(whole);
  }
  const response = { id, created_at: id.length, status: 'completed', output };
  events.push({ type: 'response.completed', ...{ response } });
  return events.map((event, sequence_number) => named({ ...event, ...{ sequence_number } }));
}

const writers = { messages: messageEvents, responses: responseEvents };

/** What a client reads: texts by their place, and the other events in their order. */
function readingOf(text: string): unknown[] {
  const reading: unknown[] = [];
  const grown = new Map<string, string>();
  for (const event of text.split('\n\n').filter((one) => one !== '')) {
    const data = JSON.parse(event.slice(event.indexOf('data: ') + 6));
    const { index, output_index: item = index, delta } = data;
    const part = delta?.text ?? delta?.thinking ?? (typeof delta === 'string' ? delta : undefined);
    if (part !== undefined) grown.set(`${item}`, (grown.get(`${item}`) ?? '') + part);
    else if (data.delta?.signature === undefined) reading.push({ ...data, sequence_number: 0 });
  }
  return [...reading, [...grown]];
}

const textOf = (bytes: Uint8Array | undefined) =>
  decoder
    .decode(bytes)
    .replace(/(^|\r\n)[\da-f]+\r\n/g, '')
    .replaceAll('\r\n', '');

/** Items that began on different engines have their ids, which stay. */
function withoutItemIds(text: string): string {
  for (const [, id, index] of text.matchAll(/"item_id":"([^"]*)","output_index":(\d+)/g)) {
    assert.ok(text.includes(`"item":{"id":"${id}"`), `an item of another id at ${index}`);
  }
  return text.replace(/"(item_)?id":"[^"]*-\d+"/g, '"id":""');
}

const block = fc.record({
  isThought: fc.boolean(),
  text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
});
const lengths = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });
const body = encoder.encode('{"temperature":0}');

for (const kind of ['messages', 'responses'] as const satisfies readonly NamedStreamKind[]) {
  test(`${kind}: wherever engines break, and however they divide texts, the client reads one stream`, () => {
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(lengths, fc.nat(40)), { minLength: 1, maxLength: 3 }),
        lengths,
        (blocks, broken, last) => {
          const memory = new StreamMemory();
          const stream = new NamedStream(kind, memory);
          let text = '';
          for (const [i, [parts, cut]] of broken.entries()) {
            const events = writers[kind](blocks, parts, `engine${i}`);
            const written = events.slice(0, Math.min(cut, events.length - 2));
            for (const event of written) text += textOf(stream.take(chunkOf(event), true, false));
            assert.equal(stream.closing(), undefined);
            assert.ok(typeof stream.continuation(body) === 'object');
            stream.continueAt();
          }
          const events = writers[kind](blocks, last, 'last one');
          const bytes = joined(events.map((event, i) => chunkOf(event, i === events.length - 1)));
          text += textOf(stream.take(bytes, true, true));
          assert.equal(stream.fault, undefined);
          const id = /"id":"([^"]*)"/.exec(text)?.[1] ?? assert.fail(text);
          const firstParts = broken[0]?.[0] ?? last;
          const unbroken = writers[kind](blocks, firstParts, id).join('');
          assert.deepEqual(readingOf(withoutItemIds(text)), readingOf(withoutItemIds(unbroken)));
          if (kind === 'responses') {
            const numbers = [...text.matchAll(/"sequence_number":(\d+)/g)].map(([, n]) =>
              Number(n),
            );
            assert.deepEqual(
              numbers,
              numbers.map((_, at) => at),
            );
          }
          stream.close();
          assert.equal(memory.bytes, 0);
        },
      ),
      { seed: 15, numRuns: 300 },
    );
  });
}

test('a stream that is given up passes on the event that has begun, chunk by chunk', () => {
  const stream = new NamedStream('messages', new StreamMemory());
  const fault = chunkOf(named({ type: 'error', ...{ error: { type: 'api_error' } } }));
  const rest = chunkOf('event: message_stop\n');
  const [head, tail] = [rest.subarray(0, 9), rest.subarray(9)];
  assert.equal(stream.take(joined([fault, head]), false, false), undefined);
  assert.equal(stream.fault?.kind, 'event');
  assert.deepEqual(stream.release(), joined([fault, head]));
  assert.deepEqual(stream.take(tail, true, false), tail);
});
