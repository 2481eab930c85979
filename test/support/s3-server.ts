// An S3 server with one bucket in memory, that fails when a test says so.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';

/** How a request fails: no reply, a status of 503, half of the body, or one changed byte. */
export type S3Fault = 'hang' | 'unavailable' | 'cut' | 'changed';

export interface S3Server {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  /** Methods of the requests so far; POST removes, LIST lists. */
  readonly requests: string[];
  /** Decides over each request; set by the test. */
  fault: (method: string) => S3Fault | undefined;
}

/** Objects on a page of a listing: few, so that tests have several pages. */
const pageObjects = 3;

/** Starts a server that ends with the test. The bucket is `kv`. */
export async function s3Server(t: TestContext): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const state: { fault: S3Server['fault'] } = { fault: () => undefined };
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const url = new URL(request.url ?? '', 'http://s3');
    const method = url.searchParams.has('list-type') ? 'LIST' : (request.method ?? '');
    requests.push(method);
    const fault = state.fault(method);
    if (fault === 'hang') return;
    if (fault === 'unavailable') {
      send(response, 503, '<Error><Code>SlowDown</Code><Message>slow down</Message></Error>');
      return;
    }
    const name = decodeURIComponent(url.pathname.replace(/^\/kv\/?/, ''));
    if (method === 'LIST') {
      send(response, 200, listing(objects, url.searchParams));
    } else if (method === 'PUT') {
      objects.set(name, body);
      send(response, 200, '');
    } else if (method === 'POST') {
      for (const [, key = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g))
        objects.delete(key);
      send(response, 200, '<DeleteResult/>');
    } else {
      sendObject(response, objects.get(name), fault);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(state, { endpoint: `http://127.0.0.1:${port}`, objects, requests });
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(body);
}

function sendObject(
  response: ServerResponse,
  object: Buffer | undefined,
  fault: S3Fault | undefined,
): void {
  if (object === undefined) {
    send(response, 404, '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>');
    return;
  }
  const body = Buffer.from(object);
  if (fault === 'changed') body[body.length >> 1] = (body[body.length >> 1] as number) ^ 1;
  response.writeHead(200, { 'content-length': body.length });
  if (fault === 'cut') response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  else response.end(body);
}

function listing(objects: ReadonlyMap<string, Buffer>, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const from = query.get('continuation-token') ?? '';
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix) && name > from).sort();
  const page = names.slice(0, pageObjects);
  const isTruncated = names.length > page.length;
  const contents = page.map(
    (name) => `<Contents><Key>${name}</Key><Size>${objects.get(name)?.length}</Size></Contents>`,
  );
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
  return `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
}
