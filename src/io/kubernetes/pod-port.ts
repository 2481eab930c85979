// A connection to a port of a pod through the API server, as "kubectl port-forward" makes it.
import { Duplex, Readable, Writable } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';

export interface PodPort {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

/** Time until the API server has accepted the connection. */
const openTimeoutMs = 15_000;
/** The stream of data; the other one has errors. */
const dataStream = 0;
const errorBytesMax = 4_096;

/** The parts of a WebSocket of the package `ws` that are used here. */
interface Socket {
  readonly readyState: number;
  send(data: Buffer, done: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  close(): void;
  terminate(): void;
  on(event: 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

/**
 * Connects to a port of a pod. The stream holds back a side that is faster than the other.
 *
 * @throws {Error} If the API server or the node refuses, or does not respond in time; the message says why.
 */
export async function openPodPort(
  config: KubeConfig,
  target: PodPort,
  signal: AbortSignal,
): Promise<Duplex> {
  const { PortForward } = await import('@kubernetes/client-node');
  signal.throwIfAborted();
  const connection = new PodConnection();
  const opening = new PortForward(config).portForward(
    ...[target.namespace, target.pod, [target.port]],
    ...[connection.received, connection.errors, new Readable({ read() {} })],
  ) as Promise<unknown> as Promise<Socket>;
  const ended = AbortSignal.any([signal, AbortSignal.timeout(openTimeoutMs)]);
  try {
    connection.attach(await unlessAborted(opening, ended));
    return connection;
  } catch (error) {
    connection.destroy();
    // A connection that is accepted too late is closed.
    opening.then(
      (socket) => socket.terminate(),
      () => undefined,
    );
    signal.throwIfAborted();
    if (ended.aborted) {
      throw new Error(`no connection within ${openTimeoutMs / 1000} s`, { cause: error });
    }
    throw new Error(messageOf(error), { cause: error });
  }
}

/** Bytes of one connection, as messages that begin with the number of their stream. */
class PodConnection extends Duplex {
  /** Where the client of Kubernetes writes what it receives. */
  readonly received = new Writable({
    write: (chunk: Buffer, _, done) => {
      if (!this.push(chunk)) this.#socket?.pause();
      done();
    },
  });
  readonly errors = new Writable({
    write: (chunk: Buffer, _, done) => {
      this.#reason = (this.#reason + chunk.toString()).slice(0, errorBytesMax);
      done();
    },
  });
  #socket: Socket | undefined;
  #reason = '';

  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => {
      if (this.#reason !== '') this.destroy(new Error(this.#reason.trim()));
      else this.push(null);
    });
    // It may have closed before.
    if (socket.readyState > 1) this.push(null);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket?.send(Buffer.concat([Buffer.from([dataStream]), chunk]), done);
  }

  /** The protocol has no way to end one direction only. */
  override _final(done: () => void): void {
    this.#socket?.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket?.terminate();
    done(error);
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The client rejects with an event that has the error. */
function messageOf(error: unknown): string {
  const { message = '' } = (error ?? {}) as { readonly message?: string };
  const status = /Unexpected server response: (\d+)/.exec(message)?.[1];
  if (status === '403') return 'this user may not create pods/portforward';
  if (status === '404') return 'the pod is gone';
  return message || String(error);
}
