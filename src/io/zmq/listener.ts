// A listening socket that accepts ZMTP connections.
import { createServer, type Server, type Socket } from 'node:net';
import { endpointError } from '../listen/index.ts';
import { formatZmqEndpoint, listenOptions, parseZmqEndpoint } from './endpoint.ts';

/** Maximum number of connections; further ones are closed at once. */
const connectionsMax = 1024;

/** Accepts connections until closed. */
export class ZmqListener {
  /** As requested, with the port that the system chose in place of 0. */
  readonly endpoint: string;
  readonly port: number | undefined;
  readonly #server: Server;

  private constructor(server: Server, endpoint: string, port: number | undefined) {
    this.#server = server;
    this.endpoint = endpoint;
    this.port = port;
  }

  /** @throws {InputError} If the endpoint is malformed or cannot be listened on. */
  static async listen(endpoint: string, accept: (socket: Socket) => void): Promise<ZmqListener> {
    const parsed = parseZmqEndpoint(endpoint);
    const server = createServer(accept);
    server.maxConnections = connectionsMax;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(endpointError(error, endpoint)));
      server.listen(listenOptions(parsed), resolve);
    });
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const resolved =
      parsed.transport === 'tcp' && port !== undefined ? { ...parsed, port } : parsed;
    return new ZmqListener(server, formatZmqEndpoint(resolved), port);
  }

  /** Stops accepting. The owners of the connections close them first. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
