import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseReader } from './sse-reader.ts';

test('the same events come out however the text is split', () => {
  const text =
    'data: {"a":"ü€😀"}\n\n: ping\n\nevent: x\r\ndata: b\r\ndata:c\r\n\r\ndata: [DONE]\n\n';
  const all = Buffer.from(text);
  for (const bytes of [1, 2, 7, all.length]) {
    const seen: string[] = [];
    const reader = new SseReader((data) => seen.push(data));
    for (let at = 0; at < all.length; at += bytes) reader.push(all.subarray(at, at + bytes));
    assert.deepEqual(seen, ['{"a":"ü€😀"}', 'b\nc', '[DONE]']);
  }
});

test('an event in pieces of one character takes linear time', () => {
  const seen: string[] = [];
  const reader = new SseReader((data) => seen.push(data));
  const startMs = process.cpuUsage().user / 1000;
  const [letter, end] = [Buffer.from('x'), Buffer.from('\n\n')];
  reader.push(Buffer.from('data: '));
  for (let i = 0; i < 400_000; i++) reader.push(letter);
  reader.push(end);
  assert.equal(seen[0]?.length, 400_000);
  assert.ok(process.cpuUsage().user / 1000 - startMs < 5_000, 'quadratic work took minutes');
});

test('known data is not decoded where it is the whole of an event in one packet', () => {
  const text =
    'data: known\n\nevent: x\r\ndata:known\r\n\r\ndata: known\ndata: more\n\ndata: other\n\n';
  const all = Buffer.from(text);
  for (const bytes of [1, 5, 13, all.length]) {
    const seen: string[] = [];
    const reader = new SseReader((data) => seen.push(data), {
      endOf: (packet, start, end) =>
        packet.subarray(start, end).indexOf('known') === 0 ? start + 5 : -1,
      onKnown: (packet, start, end) => seen.push(packet.toString('utf8', start, end)),
    });
    for (let at = 0; at < all.length; at += bytes) reader.push(all.subarray(at, at + bytes));
    assert.deepEqual(seen, ['known', 'known', 'known\nmore', 'other']);
  }
});
