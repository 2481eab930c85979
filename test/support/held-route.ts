// An engine behind a forwarder that never responds to requests for one path, as a process that is stuck there.
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** @returns The URL of the forwarder, and how many requests it holds or held. */
export async function holdRoute(
  t: TestContext,
  url: string,
  path: string,
): Promise<{ readonly url: string; readonly held: () => number }> {
  let held = 0;
  const server = createServer((incoming, answer) => {
    if (incoming.url === path) {
      held++;
      return;
    }
    const { method = 'GET', headers } = incoming;
    const forwarded = request(
      new URL(incoming.url ?? '/', url),
      { method, headers },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    forwarded.on('error', () => answer.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, held: () => held };
}
