// Orders of the controller to workers, each on a connection of its own to the worker's REP socket.
import { SpillwayError } from '../../core/base/index.ts';
import {
  decodeOrderReply,
  encodeLmcacheMessage,
  type MessageValue,
  type OrderReply,
  type Worker,
} from '../../core/lmcache/index.ts';
import { dealerRequest, formatZmqEndpoint } from '../zmq/index.ts';

/** A message to a worker, e.g. `ClearWorkerMsg`. */
export type Order = { readonly type: string } & { readonly [field: string]: MessageValue };

/** A worker could not be reached, or has refused an order. */
export class OrderError extends SpillwayError {
  override readonly name = 'OrderError';
  readonly code = 'ERR_LMCACHE_ORDER';
}

const replyLimits = { frameBytesMax: 64 << 10, messageBytesMax: 64 << 10, messageFramesMax: 4 };

/** @throws {OrderError} If a worker is not reached in time, or refuses. */
export async function sendOrder(
  workers: readonly Worker[],
  orderOf: (workerId: number) => Order,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<readonly { readonly worker: Worker; readonly reply: OrderReply }[]> {
  return await Promise.all(
    workers.map(async (worker) => {
      const { instanceId, workerId, ip: host, port } = worker;
      const who = `Worker ${workerId} of ${instanceId}`;
      const frames = [new Uint8Array(), encodeLmcacheMessage(orderOf(workerId))];
      let reply: OrderReply | undefined;
      try {
        await dealerRequest({
          endpoint: formatZmqEndpoint({ transport: 'tcp', host, port }),
          ...{ frames, timeoutMs, signal, limits: replyLimits },
          onMessage: (frames) => {
            reply = decodeOrderReply(frames.at(-1) ?? new Uint8Array());
            return true;
          },
        });
      } catch (error) {
        throw new OrderError(`${who} did not carry out the order.`, { cause: error });
      }
      if (reply === undefined || reply.error !== undefined) {
        throw new OrderError(`${who} refused: ${reply?.error ?? 'no reply'}`);
      }
      return { worker, reply };
    }),
  );
}
