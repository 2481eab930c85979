// A local port whose connections are passed on to somewhere else.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';

export interface LocalForwardOptions {
  /** Local port; 0 for any. */
  readonly port: number;
  /** Opens the other end of a new connection. */
  readonly connect: (signal: AbortSignal) => Promise<Duplex>;
  /** Why a connection could not be passed on; undefined once one could. */
  readonly onState: (failure: string | undefined) => void;
}

export interface LocalForward {
  readonly port: number;
  close(): Promise<void>;
}

/** Further connections are closed at once: a browser opens six, a load test hundreds. */
const connectionsMax = 1_024;

/** Listens on the loopback address. @throws {Error} If the port is in use. */
export async function openLocalForward(options: LocalForwardOptions): Promise<LocalForward> {
  const closing = new AbortController();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Until it is passed on, nobody else listens.
    socket.on('error', () => undefined);
    void pass(options, socket, closing.signal);
  });
  server.maxConnections = connectionsMax;
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      closing.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function pass(
  { connect, onState }: LocalForwardOptions,
  socket: Socket,
  signal: AbortSignal,
): Promise<void> {
  try {
    const other = await connect(signal);
    onState(undefined);
    // Both ends are closed when one is; an error is what the client sees as a reset.
    pipeline(socket, other, socket, () => undefined);
  } catch (error) {
    socket.destroy();
    if (!signal.aborted) onState(error instanceof Error ? error.message : String(error));
  }
}
