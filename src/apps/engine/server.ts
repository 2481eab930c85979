// An embedded engine behind its port.
import { Engine } from './engine.ts';
import { createHttpServer, listen } from './http/server.ts';
import type { EngineServerOptions } from './options.ts';
import { routes } from './routes/index.ts';

export interface EngineServer {
  /** Without a path: `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Stops at once: streams are cut, the port is free when it resolves. */
  close(): Promise<void>;
}

/**
 * Starts an engine.
 *
 * @throws {InputError} If the port is taken or the settings cannot work.
 */
export async function createEngineServer(options: EngineServerOptions): Promise<EngineServer> {
  const engine = new Engine(options);
  const server = createHttpServer(routes(engine));
  const url = await listen(server, options.host ?? '127.0.0.1', options.port ?? 8000);
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        engine.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
