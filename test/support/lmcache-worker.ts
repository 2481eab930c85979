// A worker of LMCache that reports to a controller what a test says.
import type { TestContext } from 'node:test';
import {
  encodeLmcacheMessage,
  inProcessChunkHashes,
  type MessageValue,
  noneHash,
} from '../../src/core/lmcache/index.ts';
import { dealerRequest, PushSocket } from '../../src/io/zmq/index.ts';
import { until } from './until.ts';

const root = noneHash(123);

/**
 * @param endpoints Pull, reply and heartbeat of the controller.
 * @param peer_init_url Where it says that other engines begin to fetch chunks.
 */
export async function lmcacheWorker(
  t: TestContext,
  endpoints: readonly string[],
  instance_id: string,
  peer_init_url: string | null = null,
) {
  const [pull = '', reply = ''] = endpoints;
  const who = { instance_id, worker_id: 0 };
  await dealerRequest({
    ...{ endpoint: reply, timeoutMs: 5000, onMessage: () => true },
    frames: [
      new Uint8Array(),
      encodeLmcacheMessage({
        ...{ type: 'RegisterMsg', ...who, ip: '127.0.0.1', port: 1, peer_init_url },
      }),
    ],
  });
  const push = new PushSocket({ endpoint: pull });
  t.after(() => push.close());
  await until(() => push.send([encodeLmcacheMessage({})]));
  const sequences = new Map<string, number>();
  const operate = (op_type: 'admit' | 'evict', location: string, tokens: readonly number[]) => {
    const operations: MessageValue[] = inProcessChunkHashes(tokens, root).map((key) => {
      const seq_num = sequences.get(location) ?? 0;
      sequences.set(location, seq_num + 1);
      return { op_type, key, seq_num };
    });
    const message = { type: 'BatchedKVOperationMsg', ...who, location, operations };
    push.send([encodeLmcacheMessage(message)]);
  };
  return {
    admit: (location: string, tokens: readonly number[]) => operate('admit', location, tokens),
    evict: (location: string, tokens: readonly number[]) => operate('evict', location, tokens),
  };
}
