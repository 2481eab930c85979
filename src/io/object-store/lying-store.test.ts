// Object stores that lie: each lie is a miss in bounded time and memory, never another value.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ManualClock, seededRandom } from '../../core/base/index.ts';
import { objectName } from './object-name.ts';
import { ObjectTier } from './object-tier.ts';
import { s3Objects } from './s3-objects.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'access';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

const timeoutMs = 400;
const listedPagesMax = 20;
const value = Buffer.alloc(10_000, 'value');
const named = {
  ...{ key: 'k', label: undefined, checksum: crc32(value) },
  expiresUnixSeconds: Number.POSITIVE_INFINITY,
};
const name = objectName('', named) ?? assert.fail();

type Serve = (response: ServerResponse, request: IncomingMessage) => void;

const page = (inner: string) =>
  `<?xml version="1.0"?><ListBucketResult>${inner}</ListBucketResult>`;
const listing = (size: number | string, more = '') =>
  page(`<Contents><Key>${name}</Key><Size>${size}</Size></Contents>${more}`);

/** Writes without an end, as fast as it is read. */
function endless(response: ServerResponse): void {
  const piece = Buffer.alloc(65_536, ' ');
  const more = () => {
    while (!response.destroyed && response.write(piece));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

function slow(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

/** A tier in front of a store that lists and returns so. */
async function opened(t: TestContext, list: Serve, get: Serve = (response) => response.end(value)) {
  const server = createServer((request, response) => {
    response.on('error', () => {});
    request.resume();
    const isListing = request.url?.includes('list-type') === true;
    if (request.url?.includes('uploads') === true) response.end('<ListMultipartUploadsResult/>');
    else if (isListing) list(response, request);
    else get(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const tier = new ObjectTier({
    objects: await s3Objects({ bucket: 'kv', endpoint: `http://127.0.0.1:${port}` }),
    ...{ prefix: '', waitingBytesMax: 1 << 20, wallClock: new ManualClock(1000), timeoutMs },
    ...{ random: seededRandom(1), listedPagesMax },
  });
  t.after(() => {
    tier.close();
    server.closeAllConnections();
    server.close();
  });
  const startMs = performance.now();
  await tier.start();
  return { tier, listedMs: performance.now() - startMs };
}

async function read(tier: ObjectTier): Promise<Buffer | undefined> {
  const found = tier.find('k');
  if (found === undefined) return undefined;
  const body = Buffer.alloc(found.size);
  return (await tier.read(found, () => [body])) ? body : undefined;
}

const bomb = Array.from({ length: 9 }, (_, i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`);

for (const [what, list] of Object.entries<Serve>({
  'that says nothing': () => {},
  'that is sent a space at a time': (response) => slow(response),
  'without an end': (response) => endless(response),
  'with entities in entities': (response) =>
    response.end(
      `<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">${bomb.join('')}]>${page('<Contents><Key>&a9;</Key><Size>1</Size></Contents>')}`,
    ),
  'with a million open elements': (response) => response.end('<a>'.repeat(1_000_000)),
  'with a negative size': (response) => response.end(listing(-5)),
  'with an infinite size': (response) => response.end(listing('1e999')),
  'that is sent elsewhere': (response) =>
    response.writeHead(301, { location: 'http://127.0.0.2:9/' }).end(),
  'that is no XML': (response) => response.end('{"Contents":[]}'),
})) {
  test(`a listing ${what} finds nothing`, async (t) => {
    const rss = process.memoryUsage.rss();
    const { tier, listedMs } = await opened(t, list);
    assert.equal(tier.stats.entries, 0);
    // Four tries of a call, with pauses between them.
    assert.ok(listedMs < 4 * (timeoutMs + 1_000), `${listedMs} ms`);
    const growth = (process.memoryUsage.rss() - rss) / 2 ** 20;
    assert.ok(growth < 160, `${growth} MiB`);
  });
}

for (const [what, token, pages] of [
  ['the same page follows', () => 'x', 2],
  ['a next page follows each page', (at: number) => `x${at}`, listedPagesMax],
] as const) {
  test(`a listing that says that ${what} ends`, async (t) => {
    let at = 0;
    await opened(t, (response) => {
      const more = `<IsTruncated>true</IsTruncated><NextContinuationToken>${token(at++)}</NextContinuationToken>`;
      response.end(page(more));
    });
    assert.equal(at, pages);
  });
}

for (const [what, get] of Object.entries<Serve>({
  'of other bytes': (response) => response.end(Buffer.alloc(value.length, 'other')),
  'that is too short': (response) => response.end(value.subarray(1)),
  'with a length that it does not have': (response) => {
    response.writeHead(200, { 'content-length': 2 * value.length }).end(value);
  },
  'that is too long': (response) => response.end(Buffer.concat([value, value])),
  'without an end': (response) => endless(response),
  'that is sent a space at a time': (response) => slow(response),
  'that is sent elsewhere': (response) =>
    response.writeHead(307, { location: 'http://127.0.0.2:9/' }).end(),
  'with an error without an end': (response) => {
    response.statusCode = 500;
    endless(response);
  },
  'from a store that asks to slow down': (response) => {
    response.statusCode = 503;
    response.end('<Error><Code>SlowDown</Code></Error>');
  },
})) {
  test(`a value ${what} is a miss`, async (t) => {
    const { tier } = await opened(t, (response) => response.end(listing(value.length)), get);
    const rss = process.memoryUsage.rss();
    const startMs = performance.now();
    const body = await read(tier);
    // The store above compares checksums, and calls it a miss.
    assert.notEqual(body && crc32(body), named.checksum);
    assert.ok(performance.now() - startMs < 4 * (timeoutMs + 1_000));
    const growth = (process.memoryUsage.rss() - rss) / 2 ** 20;
    assert.ok(growth < 160, `${growth} MiB`);
  });
}

test('a value whose tag is wrong, but whose bytes are right, is a hit', async (t) => {
  const { tier } = await opened(
    t,
    (response) => response.end(listing(value.length)),
    (response) => response.setHeader('etag', '"wrong"').end(value),
  );
  assert.deepEqual(await read(tier), value);
});
