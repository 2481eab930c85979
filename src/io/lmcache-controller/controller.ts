// LMCache's controller: three sockets that workers report to, and the registry that they fill.
import type { Clock } from '../../core/base/index.ts';
import {
  decodeWorkerMessage,
  encodeLmcacheMessage,
  errorMessage,
  handlePushed,
  handleRequest,
  type WorkerMessage,
  WorkerRegistry,
  type WorkerRegistryOptions,
} from '../../core/lmcache/index.ts';
import {
  formatZmqEndpoint,
  openPullSocket,
  openRouterSocket,
  parseZmqEndpoint,
  type RouterPeer,
} from '../zmq/index.ts';
import { type Order, sendOrder } from './orders.ts';

export interface ControllerOptions extends WorkerRegistryOptions {
  readonly host: string;
  /** Ports; 0 for any free one. */
  readonly pullPort: number;
  readonly replyPort: number;
  /** Without it, workers send no heartbeats, so that a restart of the controller loses them. */
  readonly heartbeatPort?: number | undefined;
  /** Seconds since 1970, as times of registration are reported. */
  readonly wallClock: Clock;
  /** How long a worker may take for an order. @default 30 s, LMCache's own */
  readonly orderTimeoutMs?: number | undefined;
  /** How often silent workers are forgotten. @default 5000 */
  readonly checkMs?: number | undefined;
}

export interface Controller {
  readonly registry: WorkerRegistry;
  /** Where workers connect: pull, reply and, if any, heartbeat. */
  readonly endpoints: readonly string[];
  /** Messages that could not be read. */
  readonly refusedMessages: number;
  /**
   * Sends an order to each worker of an instance.
   *
   * @returns Their replies, by worker, in order of rank; none for an unknown instance.
   * @throws {OrderError} If a worker is not reached in time, or refuses.
   */
  order(instanceId: string, orderOf: (workerId: number) => Order): ReturnType<typeof sendOrder>;
  close(): Promise<void>;
}

/** A batch of a full sync has 2,000 keys by default, 20 KB. */
const limits = { frameBytesMax: 4 << 20, messageBytesMax: 16 << 20, messageFramesMax: 1024 };

/**
 * Opens the sockets.
 *
 * @throws {InputError} If a port cannot be listened on.
 */
export async function openController(options: ControllerOptions): Promise<Controller> {
  const { host, wallClock, orderTimeoutMs = 30_000, checkMs = 5_000 } = options;
  const registry = new WorkerRegistry(options);
  const endpoint = (port: number) => formatZmqEndpoint({ transport: 'tcp', host, port });
  let refusedMessages = 0;
  const read = (payload: Uint8Array | undefined): WorkerMessage | string => {
    try {
      return decodeWorkerMessage(payload ?? new Uint8Array());
    } catch (error) {
      refusedMessages++;
      return error instanceof Error ? error.message : String(error);
    }
  };
  let heartbeatPort: number | undefined;
  const reply = (peer: RouterPeer, frames: readonly Uint8Array[]): void => {
    const message = read(frames.at(-1));
    const at = peer.localAddress;
    // The address that the worker has connected to is one that it reaches.
    const url =
      at === undefined || heartbeatPort === undefined ? undefined : hostPort(at, heartbeatPort);
    const answer =
      typeof message === 'string'
        ? errorMessage(message)
        : handleRequest(registry, message, wallClock.nowSeconds(), url);
    peer.reply([...frames.slice(0, -1), encodeLmcacheMessage(answer)]);
  };
  const opened: { readonly endpoint: string; close(): Promise<void> }[] = [];
  try {
    const onMessage = (frames: readonly Uint8Array[]): void => {
      for (const frame of frames) {
        const message = read(frame);
        if (typeof message !== 'string') handlePushed(registry, message, wallClock.nowSeconds());
      }
    };
    const replies = { onMessage: reply, limits };
    opened.push(await openPullSocket({ endpoint: endpoint(options.pullPort), onMessage, limits }));
    opened.push(await openRouterSocket({ endpoint: endpoint(options.replyPort), ...replies }));
    if (options.heartbeatPort !== undefined) {
      const socket = await openRouterSocket({
        endpoint: endpoint(options.heartbeatPort),
        ...replies,
      });
      opened.push(socket);
      const parsed = parseZmqEndpoint(socket.endpoint);
      if (parsed.transport === 'tcp') heartbeatPort = parsed.port;
    }
  } catch (error) {
    await Promise.all(opened.map((socket) => socket.close()));
    throw error;
  }
  const timer = setInterval(() => registry.expire(wallClock.nowSeconds()), checkMs).unref();
  const orders = new AbortController();
  return {
    registry,
    endpoints: opened.map((socket) => socket.endpoint),
    get refusedMessages() {
      return refusedMessages;
    },
    async order(instanceId, orderOf) {
      const workers = registry.workers.filter((worker) => worker.instanceId === instanceId);
      return await sendOrder(workers, orderOf, orderTimeoutMs, orders.signal);
    },
    async close() {
      clearInterval(timer);
      orders.abort();
      await Promise.all(opened.map((socket) => socket.close()));
    },
  };
}

function hostPort(address: string, port: number): string {
  const host = address.replace(/^::ffff:/, '');
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
