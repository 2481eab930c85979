// Orders of LMCache's controller to a worker: it listens, carries them out, and replies.
import {
  decodeOrder,
  encodeLmcacheMessage,
  type MessageValue,
  type WorkerOrder,
} from '../../core/lmcache/index.ts';
import { formatZmqEndpoint, openRouterSocket, parseZmqEndpoint } from '../zmq/index.ts';

export interface OrderHandlers {
  /** Empties a tier. @returns Its tokens. */
  readonly clear: (location: string) => number;
  /** Keeps the beginning of a prompt in a tier. @returns How many of its tokens are there. */
  readonly pin: (location: string, tokens: readonly number[]) => number;
  /** Sends the beginning of a prompt to another engine. @returns How many of its tokens. */
  readonly move: (move: PromptMove) => Promise<number>;
}

export interface PromptMove {
  readonly location: string;
  /** `host:port` of the other engine's handshake. */
  readonly toUrl: string;
  readonly toLocation: string;
  readonly tokens: readonly number[];
  /** Whether it stays in this engine, too. */
  readonly copies: boolean;
}

/** A prompt of a million tokens takes 5 MB. */
const limits = { frameBytesMax: 8 << 20, messageBytesMax: 8 << 20, messageFramesMax: 4 };

/**
 * Listens for orders, as LMCache does on `lmcache_worker_ports`.
 *
 * @param port 0 for any free one.
 * @throws {InputError} If the port cannot be listened on.
 */
export async function openOrders(
  host: string,
  port: number,
  handlers: OrderHandlers,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const socket = await openRouterSocket({
    ...{ endpoint: formatZmqEndpoint({ transport: 'tcp', host, port }), limits },
    onMessage: (peer, frames) => {
      void replyTo(frames.at(-1), handlers).then((reply) =>
        peer.reply([...frames.slice(0, -1), encodeLmcacheMessage(reply)]),
      );
    },
  });
  const parsed = parseZmqEndpoint(socket.endpoint);
  return {
    port: parsed.transport === 'tcp' ? parsed.port : port,
    close: () => socket.close(),
  };
}

async function replyTo(
  payload: Uint8Array = new Uint8Array(),
  handlers: OrderHandlers,
): Promise<MessageValue> {
  try {
    return await carriedOut(decodeOrder(payload), handlers);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { type: 'ErrorMsg', error: `Worker error: ${reason}` };
  }
}

async function carriedOut(
  order: WorkerOrder,
  { clear, pin, move }: OrderHandlers,
): Promise<MessageValue> {
  switch (order.type) {
    case 'HealthWorkerMsg':
      return { type: 'HealthWorkerRetMsg', error_code: 0 };
    case 'ClearWorkerMsg':
      return { type: 'ClearWorkerRetMsg', num_tokens: clear(order.location) };
    case 'PinWorkerMsg':
      return { type: 'PinWorkerRetMsg', num_tokens: pin(order.location, order.tokens) };
    case 'MoveWorkerMsg': {
      const { location, tokens, copies, target: [toUrl, toLocation] = ['', ''] } = order;
      const num_tokens = await move({ location, toUrl, toLocation, tokens, copies });
      return { type: 'MoveWorkerRetMsg', num_tokens };
    }
    default:
      throw new Error(`${order.type} is not emulated`);
  }
}
