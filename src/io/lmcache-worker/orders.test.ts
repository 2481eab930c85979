// Orders, byte by byte as LMCache's controller sent them and its worker replied.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeLmcacheMessage } from '../../core/lmcache/index.ts';
import { dealerRequest } from '../zmq/index.ts';
import { openOrders } from './index.ts';

interface Recorded {
  readonly channel: string;
  readonly frames?: readonly string[];
  readonly decoded: readonly ({ readonly type: string } | null)[];
}

const path = join(import.meta.dirname, '../../../test/integration/lmcache-wire/controller.jsonl');
const recorded = readFileSync(path, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded)
  .filter(({ channel }) => channel === 'worker');
const bytesOf = (type: string) => {
  const found = recorded.find(({ decoded }) => decoded[0]?.type === type);
  return Buffer.from(found?.frames?.[0] ?? assert.fail(type), 'hex');
};

test('a worker carries orders out, and replies as LMCache 0.5.6 does', async (t) => {
  const prompts: (readonly number[])[] = [];
  const cleared: string[] = [];
  const orders = await openOrders('127.0.0.1', 0, {
    clear: (location) => {
      cleared.push(location);
      return 512;
    },
    move: async ({ toUrl }) => {
      if (toUrl === '') throw new Error('no address');
      return 256;
    },
    pin: (location, tokens) => {
      assert.equal(location, 'LocalCPUBackend');
      prompts.push(tokens);
      return 512;
    },
  });
  t.after(() => orders.close());
  const ask = async (order: Uint8Array) => {
    let reply = '';
    await dealerRequest({
      ...{ endpoint: `tcp://127.0.0.1:${orders.port}`, timeoutMs: 5000 },
      frames: [new Uint8Array(), order],
      onMessage: (frames) => {
        reply = Buffer.from(frames.at(-1) ?? []).toString('hex');
        return true;
      },
    });
    return reply;
  };
  for (const order of ['Health', 'Clear', 'Pin']) {
    const expected = bytesOf(`${order}WorkerRetMsg`).toString('hex');
    assert.equal(await ask(bytesOf(`${order}WorkerMsg`)), expected);
  }
  assert.deepEqual(cleared, ['LocalCPUBackend']);
  assert.deepEqual(prompts, [Array.from({ length: 600 }, (_, i) => i)]);
  const error = (text: string) => Buffer.from(text).toString('hex');
  assert.ok((await ask(new Uint8Array([0xc1]))).includes(error('Worker error')));
  const location = 'LocalCPUBackend';
  const move = { type: 'MoveWorkerMsg', worker_event_id: 'e', old_position: location };
  const target = { new_position: ['10.0.0.2:8200', location], tokens: [1], copy: false };
  const moved = encodeLmcacheMessage({ type: 'MoveWorkerRetMsg', num_tokens: 256 });
  assert.equal(
    await ask(encodeLmcacheMessage({ ...move, ...target })),
    Buffer.from(moved).toString('hex'),
  );
  assert.ok((await ask(encodeLmcacheMessage(move))).includes(error('Worker error: no address')));
  const compress = encodeLmcacheMessage({ type: 'CompressWorkerMsg', worker_event_id: 'e' });
  assert.ok((await ask(compress)).includes(error('CompressWorkerMsg is not emulated')));
});
