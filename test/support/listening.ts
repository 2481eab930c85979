// A server of a test at a free port of the loopback address.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** Returns the base URL of a server that is closed at the end of the test. */
export async function listening(context: TestContext, respond: RequestListener): Promise<string> {
  const server = createServer(respond);
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
