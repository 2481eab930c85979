// Compares this parser with llhttp, Node's parser: llhttp accepts whatever this one accepts, with
// the same result.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { BodyBudget } from './body-budget.ts';
import { BufferPool } from './buffer-pool.ts';
import { Ticker } from './index.ts';
import { defaultServerLimits } from './server.ts';
import { ServerConnection } from './server-connection.ts';
import { UnreadResponses, unboundedMemory } from './server-memory.ts';

interface Message {
  readonly method: string;
  readonly target: string;
  /** Names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

interface Reading {
  readonly messages: Message[];
  /** Status of the refusal; undefined if nothing was refused. */
  readonly refused: number | undefined;
}

const ticker = new Ticker({ tickMs: 60_000 });
const memory = unboundedMemory();
after(() => ticker.stop());

/** The result of this server for bytes that arrive in these pieces. */
async function readOurs(pieces: readonly Buffer[]): Promise<Reading> {
  const messages: Message[] = [];
  let refused: number | undefined;
  const [near, far] = duplexPair();
  new ServerConnection(
    {
      limits: { ...defaultServerLimits, requestBytesMax: 100_000 },
      ticker,
      retiring: false,
      draining: false,
      bodies: new BufferPool({ keptBytesMax: 1_000_000 }),
      requests: memory.requests,
      unread: new UnreadResponses(memory, () => []),
      budget: new BodyBudget({
        ...{ bytesMax: 1_000_000, ticker, holders: () => [] },
        memory: memory.requests,
      }),
      refuseHead: () => undefined,
      idleChanged: () => {},
      onRequest: (exchange) => {
        const { names, values } = exchange.head.headers;
        messages.push({
          method: exchange.head.method,
          target: exchange.head.target,
          headers: names.map((name, i) => [name, values[i] ?? '']),
          body: exchange.body.toString('latin1'),
        });
        exchange.begin(
          `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${exchange.lastLines}\r\n`,
          undefined,
        );
        exchange.end();
      },
      refusal: (status) => {
        refused = status;
        return `HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      },
      connectionClosed: () => {},
    },
    near as Socket,
  );
  await feed(far, pieces);
  return { messages, refused };
}

const llhttp = createServer({ requireHostHeader: true, keepAliveTimeout: 0 });

/** The result of Node's server for the same bytes. */
async function readLlhttp(pieces: readonly Buffer[]): Promise<Reading> {
  const messages: Message[] = [];
  let refused: number | undefined;
  const [near, far] = duplexPair();
  const onRequest = (
    request: import('node:http').IncomingMessage,
    response: import('node:http').ServerResponse,
  ) => {
    const chunks: Buffer[] = [];
    const { rawHeaders } = request;
    const message = {
      method: request.method ?? '',
      target: request.url ?? '',
      headers: Array.from({ length: rawHeaders.length / 2 }, (_, i): [string, string] => [
        (rawHeaders[2 * i] ?? '').toLowerCase(),
        rawHeaders[2 * i + 1] ?? '',
      ]),
      body: '',
    };
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => {
      messages.push({ ...message, body: Buffer.concat(chunks).toString('latin1') });
      response.end();
    });
    request.on('error', () => {});
  };
  // The socket stays open: requests before the error must still be served.
  const onError = (error: NodeJS.ErrnoException) => {
    refused = error.code === 'ECONNRESET' ? undefined : 400;
  };
  llhttp.on('request', onRequest);
  llhttp.on('clientError', onError);
  llhttp.emit('connection', near);
  await feed(far, pieces);
  llhttp.off('request', onRequest);
  llhttp.off('clientError', onError);
  return { messages, refused };
}

async function feed(far: Duplex, pieces: readonly Buffer[]): Promise<void> {
  far.resume();
  far.on('error', () => {});
  for (const piece of pieces) {
    if (far.destroyed) break;
    far.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
  far.destroy();
  await new Promise((resolve) => setImmediate(resolve));
}

const oneOf = (...texts: readonly string[]) => fc.constantFrom(...texts);
/** Mostly chooses a valid text, so that a message of many parts is often valid as a whole. */
const mostly = (good: readonly string[], bad: readonly string[]) =>
  fc.oneof({ weight: 24, arbitrary: oneOf(...good) }, { weight: 1, arbitrary: oneOf(...bad) });

const headerLine = fc
  .tuple(
    mostly(
      ['X-A', 'accept', 'X-Request-Id', 'Content-Type', 'te', 'Keep-Alive', 'x_y'],
      ['', 'a b'],
    ),
    mostly([':'], [' :', '', ': x\r\n y', '::']),
    oneOf('', ' ', '\t', '  '),
    mostly(['', 'v', 'a, b', '"q"', 'caf\xe9', 'chunked', '0', 'a\tb'], ['a\0b', 'a\x7f']),
    mostly(['\r\n', ' \r\n', '\t\r\n'], ['\n', '\r']),
  )
  .map((parts) => parts.join(''));

const plainBody = oneOf('hello', '0\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', '\r\n');
const chunkedBody = mostly(
  [
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    '5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: v\r\n\r\n',
    '00000005\r\nhello\r\n000\r\n\r\n',
    'A;x\r\n0123456789\r\n0;y\r\n\r\n',
  ],
  [
    '5;a="b"\r\nhello\r\n0\r\n\r\n',
    '5 \r\nhello\r\n0\r\n\r\n',
    '0x5\r\nhello\r\n0\r\n\r\n',
    '5\nhello\n0\n\n',
    '-1\r\nhello\r\n0\r\n\r\n',
    'ffffffffffffffff\r\nhello\r\n0\r\n\r\n',
    '5\r\nhelloX\r\n0\r\n\r\n',
  ],
);
const oddFraming = oneOf(
  'Content-Length: 5\r\nContent-Length: 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: 05\r\n',
  'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
);
/** Framing headers, and the body that follows. */
const framedBody = fc.oneof(
  { weight: 6, arbitrary: fc.constant(['', ''] as const) },
  {
    weight: 8,
    arbitrary: plainBody.map((body) => [`Content-Length: ${body.length}\r\n`, body] as const),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(
      oneOf('Transfer-Encoding: chunked\r\n', 'transfer-encoding:CHUNKED\r\n'),
      chunkedBody,
    ),
  },
  { weight: 2, arbitrary: fc.tuple(oddFraming, fc.oneof(plainBody, chunkedBody)) },
);

/** One request, mostly valid. */
const requestText = fc
  .tuple(
    mostly(['POST', 'GET', 'PUT', 'DELETE'], ['get', 'PO ST', 'M-SEARCH', '']),
    mostly([' '], ['  ', '\t']),
    mostly(['/', '/v1/x?a=b', '/v1/x', 'http://h/x?y'], ['*', '/a b', '/\xe9', '/x#f', '']),
    mostly([' '], ['  ', '']),
    mostly(['HTTP/1.1'], ['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.2', 'http/1.1']),
    mostly(['\r\n'], ['\n', '\r\r\n']),
    mostly(['Host: h\r\n', 'host:h:80\r\n'], ['', 'Host: h\r\nHost: i\r\n', 'Host: a b\r\n']),
    fc.array(headerLine, { maxLength: 3 }).map((lines) => lines.join('')),
    framedBody,
    mostly(['', 'Connection: keep-alive\r\n'], ['Connection: close\r\n']),
    mostly(['\r\n'], ['\n']),
  )
  .map(([method, s1, target, s2, version, end, host, headers, [framing, body], connection, last]) =>
    [method, s1, target, s2, version, end, host, headers, framing, connection, last, body].join(''),
  );

/** Several consecutive requests, sometimes with a byte changed, inserted or removed. */
const wire = fc
  .tuple(
    fc.array(requestText, { minLength: 1, maxLength: 3 }).map((texts) => texts.join('')),
    fc.option(
      fc.tuple(fc.nat(), oneOf('change', 'insert', 'delete'), oneOf(...' \r\n\t:;,=0\0a\x7f\x80')),
      {
        freq: 2,
      },
    ),
  )
  .map(([text, mutation]) => {
    if (mutation === null || text.length === 0) return Buffer.from(text, 'latin1');
    const [position, kind, byte] = mutation;
    const at = position % text.length;
    const after = kind === 'insert' ? at : at + 1;
    return Buffer.from(
      text.slice(0, at) + (kind === 'delete' ? '' : byte) + text.slice(after),
      'latin1',
    );
  });

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const positions = [
    0,
    ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  return positions.slice(1).map((end, i) => bytes.subarray(positions[i], end));
}

test('llhttp accepts whatever this parser accepts, with the same result', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(wire, async (bytes) => {
      const ours = await readOurs([bytes]);
      const theirs = await readLlhttp([bytes]);
      accepted += ours.messages.length;
      ours.messages.forEach((message, i) => {
        const other = theirs.messages[i];
        assert.ok(other, `llhttp refuses ${JSON.stringify(message)}`);
        const target = other.target.replace(/^https?:\/\/[^/?]*/i, '');
        assert.deepEqual(message, {
          ...other,
          target: target.startsWith('/') ? target : `/${target}`,
        });
      });
    }),
    { numRuns: 300 },
  );
  // Both accept about 160 messages in 300 runs; far fewer would prove little.
  assert.ok(accepted > 100, `only ${accepted} messages were accepted`);
});

test('the result does not depend on how the bytes are split', async () => {
  await fc.assert(
    fc.asyncProperty(wire, fc.array(fc.nat(), { maxLength: 12 }), async (bytes, cuts) => {
      assert.deepEqual(await readOurs(split(bytes, cuts)), await readOurs([bytes]));
    }),
    { numRuns: 150 },
  );
});

const good = 'POST / HTTP/1.1\r\nHost: h\r\n';

/** Known ways to make two servers disagree about where a request ends; each must be refused. */
const smuggling: readonly (readonly [string, string, number])[] = [
  ['CL.TE', `${good}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`, 400],
  ['TE.CL', `${good}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST`, 400],
  ['two equal lengths', `${good}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, 400],
  ['two lengths', `${good}Content-Length: 0\r\nContent-Length: 44\r\n\r\nGET /`, 400],
  ['list of lengths', `${good}Content-Length: 5, 5\r\n\r\nhello`, 400],
  ['signed length', `${good}Content-Length: +5\r\n\r\nhello`, 400],
  ['negative length', `${good}Content-Length: -1\r\n\r\n`, 400],
  ['hexadecimal length', `${good}Content-Length: 0x5\r\n\r\nhello`, 400],
  ['length with a point', `${good}Content-Length: 5.0\r\n\r\nhello`, 400],
  ['empty length', `${good}Content-Length:\r\n\r\n`, 400],
  ['length past 2^53', `${good}Content-Length: 99999999999999999999\r\n\r\n`, 400],
  ['length with a space inside', `${good}Content-Length: 5 5\r\n\r\nhello`, 400],
  [
    'TE.TE: unknown second',
    `${good}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n`,
    400,
  ],
  ['TE.TE: twice', `${good}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['TE with a tab', `${good}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`, 400],
  ['TE list', `${good}Transfer-Encoding: chunked, identity\r\n\r\n`, 501],
  ['TE gzip', `${good}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ['TE with a prefix', `${good}Transfer-Encoding: xchunked\r\n\r\n`, 501],
  ['TE in quotes', `${good}Transfer-Encoding: "chunked"\r\n\r\n`, 501],
  ['TE with a vertical tab', `${good}Transfer-Encoding: \x0bchunked\r\n\r\n`, 400],
  ['TE space before colon', `${good}Transfer-Encoding : chunked\r\n\r\n`, 400],
  ['TE tab before colon', `${good}Transfer-Encoding\t: chunked\r\n\r\n`, 400],
  ['TE folded', `${good}Transfer-Encoding:\r\n chunked\r\n\r\n`, 400],
  ['TE after a folded header', `${good}X: y\r\n Transfer-Encoding: chunked\r\n\r\n`, 400],
  ['TE in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['TE with a bare LF before it', `${good}X: y\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['bare LF ends the request line', 'GET / HTTP/1.1\nHost: h\r\n\r\n', 400],
  ['bare LF ends the head', `${good}\n`, 400],
  ['bare CR in a value', `${good}X: a\rTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['NUL in a value', `${good}X: a\0b\r\n\r\n`, 400],
  ['NUL in a name', `${good}X\0: a\r\n\r\n`, 400],
  ['no name', `${good}: a\r\n\r\n`, 400],
  ['space in a name', `${good}Content Length: 5\r\n\r\n`, 400],
  ['byte above ASCII in a name', `${good}Cont\xe9nt: 5\r\n\r\n`, 400],
  ['space before the first header', 'GET / HTTP/1.1\r\n Host: h\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['Host with user info', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', 400],
  ['two spaces in the request line', 'GET  / HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['lower-case method', 'get / HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['CONNECT', 'CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n', 501],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['HTTP/2', 'GET / HTTP/2.0\r\nHost: h\r\n\r\n', 505],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: h\r\n\r\n', 505],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['fragment in the target', 'GET /#x HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['byte above ASCII in the target', 'GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['relative target', 'GET x HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  ['absolute target with user info', 'GET http://a@b/ HTTP/1.1\r\nHost: h\r\n\r\n', 400],
  [
    'chunk size with a sign',
    `${good}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  ['chunk size with 0x', `${good}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`, 400],
  [
    'chunk size with a space',
    `${good}Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  [
    'chunk size overflow',
    `${good}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  ['no chunk size', `${good}Transfer-Encoding: chunked\r\n\r\n\r\nhello`, 400],
  ['chunk ends with LF', `${good}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n`, 400],
  [
    'chunk size ends with LF',
    `${good}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`,
    400,
  ],
  [
    'chunk longer than its size',
    `${good}Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  [
    'LF in a chunk extension',
    `${good}Transfer-Encoding: chunked\r\n\r\n5;\nxx\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  [
    'quoted chunk extension',
    `${good}Transfer-Encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  [
    'long chunk extension',
    `${good}Transfer-Encoding: chunked\r\n\r\n5;${'a'.repeat(2000)}\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  ['folded trailer', `${good}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n`, 400],
  [
    'long trailers',
    `${good}Transfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(2000)}\r\n`,
    431,
  ],
  ['many headers', `${good}${'X: y\r\n'.repeat(200)}\r\n`, 431],
  ['long header', `${good}X: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
  ['long header without an end', `${good}X: ${'y'.repeat(40_000)}`, 431],
  ['long target', `GET /${'y'.repeat(9_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
  ['length over the bound', `${good}Content-Length: 100001\r\n\r\n`, 413],
  [
    'chunks over the bound',
    `${good}Transfer-Encoding: chunked\r\n\r\n30D40\r\n${'x'.repeat(200_000)}\r\n0\r\n\r\n`,
    413,
  ],
  ['unknown expectation', `${good}Expect: 200-ok\r\n\r\n`, 417],
];

for (const [name, text, status] of smuggling) {
  test(`refuses with ${status}: ${name}`, async () => {
    const bytes = Buffer.from(text, 'latin1');
    assert.deepEqual(await readOurs([bytes]), { messages: [], refused: status });
  });
}

test('bytes after a refused request are never read as another request', async () => {
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: h\r\n\r\n';
  const text = `${good}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}${smuggled}`;
  const reading = await readOurs([Buffer.from(text), Buffer.from(smuggled)]);
  assert.deepEqual(reading, { messages: [], refused: 400 });
});

test('removes the authority of an absolute target, and ignores one empty line before a request', async () => {
  const targetOf = async (target: string) =>
    (await readOurs([Buffer.from(`\r\nGET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`)])).messages[0]
      ?.target;
  assert.equal(await targetOf('http://a:80/x?y=z'), '/x?y=z');
  assert.equal(await targetOf('https://a'), '/');
  assert.equal(await targetOf('http://a?y'), '/?y');
});
