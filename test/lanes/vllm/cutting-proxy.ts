// A proxy in front of an engine that cuts streamed responses after some events, as if the engine's host were gone.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly url: string;
  /** Events after which the next response to a POST is cut; Infinity for never. */
  cutAfter: number;
  close(): void;
}

/** @param target URL of the engine. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const engine = connect(Number(port), hostname);
    let isStream = false;
    let events = 0;
    const end = (): void => {
      client.destroy();
      engine.destroy();
    };
    for (const socket of [client, engine]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on('data', (bytes) => {
      if (bytes.toString('latin1', 0, 5) === 'POST ') {
        isStream = true;
        events = 0;
      } else if (bytes.toString('latin1', 0, 4) === 'GET ') isStream = false;
      engine.write(bytes);
    });
    engine.on('data', (bytes) => {
      if (!isStream) {
        client.write(bytes);
        return;
      }
      events += bytes.toString('latin1').split('\n\n\r\n').length - 1;
      client.write(bytes, () => {
        if (events >= proxy.cutAfter) end();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: CuttingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: Number.POSITIVE_INFINITY,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
  return proxy;
}
