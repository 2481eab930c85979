// A TCP connection that a test can cut and restore.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay that can be cut; while cut, it refuses. */
export async function cuttableLine(endpoint: string) {
  const sockets = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) {
      near.destroy();
      return;
    }
    const far = connect({ host: '127.0.0.1', port: Number(endpoint.split(':').at(-1)) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const cut = (): void => {
    whole = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    endpoint: `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    cut,
    mend: () => {
      whole = true;
    },
    close: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
