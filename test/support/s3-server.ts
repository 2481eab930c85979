// An S3 server with one bucket in memory, with multipart uploads and ranges, that fails when a test says so.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';

/**
 * How a request fails: no reply, a status of 503, half of the body, one changed byte, more bytes than the range has, the whole object in
 * place of a range, a length that is half of what is sent, or the tag of other bytes.
 */
export type S3Fault =
  | 'hang'
  | 'unavailable'
  | 'cut'
  | 'changed'
  | 'longer'
  | 'whole'
  | 'short length'
  | 'wrong tag';

export interface S3Server {
  readonly endpoint: string;
  readonly objects: Map<string, Buffer>;
  /** Parts of uploads that are neither complete nor aborted, by identifier and number. */
  readonly uploads: Map<string, Map<number, Buffer>>;
  /** Methods of the requests so far; POST removes, LIST lists, and BEGIN, PART, COMPLETE, ABORT and UPLOADS are those of multipart uploads. */
  readonly requests: string[];
  /** Requests that have begun and are not replied to, at most. */
  readonly atOnce: { now: number; max: number };
  /** Decides over each request; set by the test. @param at Number of a part, or first byte of a range. */
  fault: (method: string, at: number) => S3Fault | undefined;
}

/** Objects on a page of a listing: few, so that tests have several pages. */
const pageObjects = 3;

/** Starts a server that ends with the test. The bucket is `kv`. */
export async function s3Server(t: TestContext): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const state: { fault: S3Server['fault'] } = { fault: () => undefined };
  const uploads = new Map<string, Map<number, Buffer>>();
  const requests: string[] = [];
  const atOnce = { now: 0, max: 0 };
  const server = createServer(async (request, response) => {
    atOnce.max = Math.max(atOnce.max, ++atOnce.now);
    response.on('close', () => atOnce.now--);
    const body = await bodyOf(request);
    const url = new URL(request.url ?? '', 'http://s3');
    const method = methodOf(request.method ?? '', url.searchParams);
    requests.push(method);
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const fault = state.fault(
      method,
      Number(url.searchParams.get('partNumber') ?? range?.[1] ?? 0),
    );
    if (fault === 'hang') return;
    if (fault === 'unavailable') {
      send(response, 503, '<Error><Code>SlowDown</Code><Message>slow down</Message></Error>');
      return;
    }
    const name = decodeURIComponent(url.pathname.replace(/^\/kv\/?/, ''));
    if (method === 'LIST') {
      send(response, 200, listing(objects, url.searchParams));
    } else if (method === 'UPLOADS') {
      send(response, 200, listingOf(uploads));
    } else if (method === 'PUT') {
      objects.set(name, body);
      send(response, 200, '');
    } else if (method === 'POST') {
      for (const [, key = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g))
        objects.delete(key);
      send(response, 200, '<DeleteResult/>');
    } else if (method === 'GET') {
      sendObject(response, objects.get(name), range?.slice(1).map(Number), fault);
    } else {
      multipart({ method, name, body, objects, uploads, query: url.searchParams, response, fault });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const endpoint = `http://127.0.0.1:${port}`;
  return Object.assign(state, { endpoint, objects, uploads, requests, atOnce });
}

function methodOf(method: string, query: URLSearchParams): string {
  if (query.has('list-type')) return 'LIST';
  if (query.has('uploads')) return method === 'GET' ? 'UPLOADS' : 'BEGIN';
  if (!query.has('uploadId')) return method;
  return { PUT: 'PART', POST: 'COMPLETE', DELETE: 'ABORT' }[method] ?? method;
}

/** The requests of multipart uploads; a tag that is not a part's is an error, as in S3. */
function multipart(options: {
  readonly method: string;
  readonly name: string;
  readonly body: Buffer;
  readonly objects: Map<string, Buffer>;
  readonly uploads: Map<string, Map<number, Buffer>>;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
  readonly fault: S3Fault | undefined;
}): void {
  const { method, name, body, objects, uploads, query, response, fault } = options;
  if (method === 'BEGIN') {
    const id = `upload-${Math.random().toString(36).slice(2)}`;
    uploads.set(id, new Map());
    const found = `<UploadId>${id}</UploadId>`;
    send(response, 200, `<InitiateMultipartUploadResult>${found}</InitiateMultipartUploadResult>`);
    return;
  }
  const id = query.get('uploadId') ?? '';
  const parts = uploads.get(id);
  if (parts === undefined) {
    send(response, 404, '<Error><Code>NoSuchUpload</Code><Message>no upload</Message></Error>');
  } else if (method === 'PART') {
    parts.set(Number(query.get('partNumber')), body);
    response.setHeader('etag', fault === 'wrong tag' ? '"other"' : tagOf(body));
    send(response, 200, '');
  } else if (method === 'ABORT') {
    uploads.delete(id);
    response.writeHead(204).end();
  } else {
    const tags = [...body.toString().matchAll(/<ETag>(?:&quot;|")?(.*?)(?:&quot;|")?<\/ETag>/g)];
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)</g)].map((match) =>
      Number(match[1]),
    );
    const named = numbers.map((number) => parts.get(number) ?? Buffer.alloc(0));
    if (named.some((part, i) => tagOf(part) !== `"${tags[i]?.[1]}"`)) {
      send(response, 400, '<Error><Code>InvalidPart</Code><Message>invalid part</Message></Error>');
      return;
    }
    objects.set(name, Buffer.concat(named));
    uploads.delete(id);
    send(response, 200, '<CompleteMultipartUploadResult/>');
  }
}

function tagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
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
  range: readonly number[] | undefined,
  fault: S3Fault | undefined,
): void {
  if (object === undefined) {
    send(response, 404, '<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>');
    return;
  }
  const [from = 0, last = object.length - 1] = (fault === 'whole' ? undefined : range) ?? [];
  const asked = Buffer.from(object.subarray(from, last + 1));
  const body = fault === 'longer' ? Buffer.concat([asked, asked]) : asked;
  if (fault === 'changed') body[body.length >> 1] = (body[body.length >> 1] as number) ^ 1;
  const length = fault === 'short length' ? body.length >> 1 : body.length;
  const isPart = range !== undefined && fault !== 'whole';
  if (isPart) response.setHeader('content-range', `bytes ${from}-${last}/${object.length}`);
  response.writeHead(isPart ? 206 : 200, { 'content-length': length });
  if (fault === 'cut') response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  else response.end(body.subarray(0, length));
}

/** All have begun 1,000 seconds after 1970. */
function listingOf(uploads: ReadonlyMap<string, unknown>): string {
  const begun = '<Initiated>1970-01-01T00:16:40.000Z</Initiated>';
  const all = [...uploads.keys()].map(
    (id) => `<Upload><Key>any</Key><UploadId>${id}</UploadId>${begun}</Upload>`,
  );
  return `<ListMultipartUploadsResult>${all.join('')}</ListMultipartUploadsResult>`;
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
