import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventData } from './event-stream.ts';

async function dataOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
      }
      controller.close();
    },
  });
  const events: string[] = [];
  for await (const data of eventData(stream)) events.push(data);
  return events;
}

test('each event yields its data, wherever the bytes are split', async () => {
  const text = 'data: {"a":"€"}\n\ndata: two\ndata:lines\n\n: a comment\n\ndata: \n\n';
  const wanted = ['{"a":"€"}', 'two\nlines', ''];
  assert.deepEqual(await dataOf(text), wanted);
  const bytes = new TextEncoder().encode(text);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(await dataOf(...single), wanted);
});

test('an event without an end yields nothing', async () => {
  assert.deepEqual(await dataOf('data: one\n\ndata: tw'), ['one']);
});

test('a stream whose event does not end is given up', async () => {
  const chunk = 'x'.repeat(2 ** 20);
  await assert.rejects(dataOf(...Array.from({ length: 10 }, () => chunk)), RangeError);
});
