import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseReader } from './sse-reader.ts';

test('the same events come out however the text is split', () => {
  const text = 'data: {"a":1}\n\n: ping\n\nevent: x\r\ndata: b\r\ndata:c\r\n\r\ndata: [DONE]\n\n';
  for (const bytes of [1, 2, 7, text.length]) {
    const seen: string[] = [];
    const reader = new SseReader((data) => seen.push(data));
    for (let at = 0; at < text.length; at += bytes) reader.push(text.slice(at, at + bytes));
    assert.deepEqual(seen, ['{"a":1}', 'b\nc', '[DONE]']);
  }
});

test('an event in pieces of one character takes linear time', () => {
  const seen: string[] = [];
  const reader = new SseReader((data) => seen.push(data));
  const startMs = process.cpuUsage().user / 1000;
  reader.push('data: ');
  for (let i = 0; i < 400_000; i++) reader.push('x');
  reader.push('\n\n');
  assert.equal(seen[0]?.length, 400_000);
  assert.ok(process.cpuUsage().user / 1000 - startMs < 5_000, 'quadratic work took minutes');
});
