import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MemoryBudget } from '../../core/memory/index.ts';
import {
  HttpServer,
  type HttpServerOptions,
  HttpSyntaxError,
  type ServerExchange,
  Ticker,
} from './index.ts';

interface Peer {
  readonly socket: Socket;
  /** Resolves with everything received, once it matches. */
  until(pattern: RegExp): Promise<string>;
  /** Resolves with everything received, once the server has closed. */
  closed(): Promise<string>;
}

async function serve(
  context: TestContext,
  onRequest: (exchange: ServerExchange) => void,
  options: Partial<HttpServerOptions> = {},
): Promise<{ server: HttpServer; connectPeer: () => Promise<Peer> }> {
  const ticker = new Ticker({ tickMs: 10 });
  const server = new HttpServer({
    ticker,
    onRequest,
    refusal: (status) =>
      `HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    ...options,
  });
  const port = await server.listen('127.0.0.1', 0);
  context.after(() => {
    server.destroy();
    ticker.stop();
  });
  const connectPeer = async () => {
    const socket = connect(port, '127.0.0.1');
    context.after(() => socket.destroy());
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return {
      socket,
      until: async (pattern: RegExp) => {
        while (!pattern.test(received)) await once(socket, 'data');
        return received;
      },
      closed: async () => {
        if (!socket.closed) await once(socket, 'close');
        return received;
      },
    };
  };
  return { server, connectPeer };
}

function reply(exchange: ServerExchange, body: string): void {
  exchange.begin(
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${exchange.lastLines}\r\n`,
    Buffer.from(body),
  );
  exchange.end();
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;

test('pipelined requests get their responses in order, one at a time', async (context) => {
  const waiting: ServerExchange[] = [];
  const { connectPeer } = await serve(context, (exchange) => waiting.push(exchange));
  const peer = await connectPeer();
  peer.socket.write(get('/a1') + get('/a2') + get('/a3'));
  for (const path of ['/a1', '/a2', '/a3']) {
    while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(waiting.length, 1);
    reply(waiting.shift() as ServerExchange, path);
  }
  const received = await peer.until(/\/a3$/);
  assert.deepEqual(received.match(/\/a\d/g), ['/a1', '/a2', '/a3']);
});

test('reading from a client that sends too far ahead pauses until its turn comes', async (context) => {
  let first: ServerExchange | undefined;
  let served = 0;
  const paths = Array.from({ length: 100 }, (_, i) => `/more-${i};`);
  const { connectPeer } = await serve(
    context,
    (exchange) => {
      served++;
      if (first === undefined) first = exchange;
      else reply(exchange, exchange.head.target);
    },
    { limits: { pipelinedBytesMax: 1000 } },
  );
  const peer = await connectPeer();
  peer.socket.write(get('/first'));
  while (first === undefined) await new Promise((resolve) => setImmediate(resolve));
  for (const path of paths) peer.socket.write(get(path));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(served, 1);
  reply(first, 'x');
  const received = await peer.until(/more-99;$/);
  assert.deepEqual(received.match(/\/more-\d+;/g), paths);
});

test('sends 100 Continue when the client waits for it', async (context) => {
  const { connectPeer } = await serve(context, (exchange) =>
    reply(exchange, String(exchange.body)),
  );
  const peer = await connectPeer();
  peer.socket.write(
    'POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
  );
  await peer.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  peer.socket.write('body');
  await peer.until(/body$/);
});

test('HTTP/1.0 connections close after the response unless the client requests keep-alive', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'));
  const closing = await connectPeer();
  closing.socket.write('GET / HTTP/1.0\r\n\r\n');
  assert.match(await closing.closed(), /Connection: close/);
  const keeping = await connectPeer();
  keeping.socket.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.match(await keeping.until(/x$/), /Connection: keep-alive/);
});

test('bodies of any size and framing arrive complete', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => {
    reply(exchange, `${exchange.body.length}:${exchange.body.subarray(-3)}`);
  });
  for (const size of [10, 70_000, 1_500_000]) {
    const body = `${'x'.repeat(size - 3)}end`;
    const chunk = `${size.toString(16)}\r\n${body}\r\n`;
    for (const [framing, sent] of [
      [`Content-Length: ${size}`, body],
      ['Transfer-Encoding: chunked', `${chunk}0\r\n\r\n`],
    ] as const) {
      const peer = await connectPeer();
      peer.socket.write(`POST / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n${sent}`);
      await peer.until(new RegExp(`${size}:end$`));
    }
  }
});

test('a client that leaves is noticed while its response is pending', async (context) => {
  let gone = () => {};
  const left = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const { connectPeer } = await serve(context, (exchange) => {
    exchange.listener = { onClientGone: gone };
  });
  const peer = await connectPeer();
  peer.socket.write(get('/'));
  peer.socket.end();
  await left;
});

test('a slow head or body gets a 408, and an idle connection is closed', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'), {
    limits: { headTimeoutMs: 30, bodyIdleTimeoutMs: 30, keepAliveTimeoutMs: 30 },
  });
  const [silent, slowHead, slowBody, idle] = await Promise.all([
    connectPeer(),
    connectPeer(),
    connectPeer(),
    connectPeer(),
  ]);
  slowHead.socket.write('GET / HTTP');
  slowBody.socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab');
  idle.socket.write(get('/'));
  assert.equal(await silent.closed(), '');
  assert.match(await slowHead.closed(), /^HTTP\/1.1 408/);
  assert.match(await slowBody.closed(), /^HTTP\/1.1 408/);
  assert.match(await idle.closed(), /^HTTP\/1.1 200/);
});

test('a request that arrived before its idle connection was to be closed is served', async (context) => {
  const { connectPeer } = await serve(
    context,
    (exchange) => reply(exchange, exchange.head.target),
    {
      limits: { keepAliveTimeoutMs: 30 },
    },
  );
  const peer = await connectPeer();
  peer.socket.write(get('/first'));
  await peer.until(/\/first$/);
  // The request waits in the kernel while the process is paused for longer than the timeout.
  peer.socket.write(get('/second'));
  const endMs = performance.now() + 200;
  while (performance.now() < endMs);
  assert.match(await peer.until(/\/second$/), /second/);
});

test('responses say for how long an idle connection stays open, so that clients do not use one that closes', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'));
  const peer = await connectPeer();
  peer.socket.write(get('/'));
  assert.match(await peer.until(/x$/), /\r\nKeep-Alive: timeout=75\r\n/);
});

test('draining serves requests in flight, closes, and accepts no new ones', async (context) => {
  let exchange: ServerExchange | undefined;
  const { server, connectPeer } = await serve(context, (arrived) => {
    exchange = arrived;
  });
  const [busy, idle] = [await connectPeer(), await connectPeer()];
  busy.socket.write(get('/') + get('/never'));
  while (exchange === undefined) await new Promise((resolve) => setImmediate(resolve));
  const drained = server.drain();
  assert.equal(await idle.closed(), '');
  reply(exchange, 'done');
  assert.match(await busy.closed(), /done$/);
  await drained;
});

test('the error of a port in use is one sentence', async (context) => {
  const ticker = new Ticker({ tickMs: 1000 });
  const options = { ticker, onRequest: () => {}, refusal: () => '' };
  const first = new HttpServer(options);
  context.after(() => {
    first.destroy();
    ticker.stop();
  });
  const port = await first.listen('127.0.0.1', 0);
  await assert.rejects(
    new HttpServer(options).listen('127.0.0.1', port),
    new RegExp(
      `Port ${port} on 127.0.0.1 is in use; stop the program that listens there, or choose another port with --port.`,
    ),
  );
});

test('buffers of a write that leaves nothing pending may be reused: the kernel has copied them', async (context) => {
  const { connectPeer } = await serve(context, () => {});
  const { socket } = await connectPeer();
  socket.write(Buffer.alloc(100));
  assert.equal(socket.writableLength, 0);
  socket.write(Buffer.alloc(50_000_000));
  assert.ok(socket.writableLength > 0);
});

test('bodies that arrive interleaved on many connections are not mixed', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => {
    const { body } = exchange;
    // The response is sent a turn later, so that other bodies arrive meanwhile.
    setImmediate(() => reply(exchange, body.toString('latin1')));
  });
  const peers = await Promise.all(Array.from({ length: 5 }, connectPeer));
  for (const round of [1, 2, 3]) {
    const bodies = peers.map((_, i) => `${round}${i}`.repeat(1000 * (i + round)));
    for (const [i, peer] of peers.entries()) {
      const body = bodies[i] ?? '';
      peer.socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`);
      peer.socket.write(body.slice(0, 500));
    }
    await new Promise(setImmediate);
    for (const [i, peer] of peers.entries()) peer.socket.write(bodies[i]?.slice(500) ?? '');
    for (const [i, peer] of peers.entries()) await peer.until(new RegExp(`${bodies[i]}$`));
  }
});

test('a client that reads no responses gets no further ones, and others are served', async (context) => {
  let served = 0;
  const { connectPeer } = await serve(context, (exchange) => {
    served++;
    reply(exchange, 'x'.repeat(100_000));
  });
  const greedy = await connectPeer();
  greedy.socket.pause();
  for (let i = 0; i < 200; i++) greedy.socket.write(get('/flood').repeat(100));
  const polite = await connectPeer();
  polite.socket.write(get('/'));
  await polite.until(/x{100000}$/);
  const servedUnread = served;
  // 20,000 responses have 2 GB; the two kernel buffers of loopback hold a few megabytes.
  assert.ok(
    servedUnread < 200,
    `${servedUnread} responses were written to a client that reads none`,
  );
  greedy.socket.resume();
  while (served < 1000) await new Promise((resolve) => setImmediate(resolve));
});

test('refuses a body in tiny chunks; one in small chunks takes no more memory than its size', async (context) => {
  const { connectPeer } = await serve(context, (exchange) =>
    reply(exchange, `${exchange.body.length}:${exchange.body.subarray(-3)}`),
  );
  const chunked = 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n';
  const small = await connectPeer();
  small.socket.write(`${chunked}${'8\r\n12345678\r\n'.repeat(200_000)}0\r\n\r\n`);
  await small.until(/1600000:678$/);
  const tiny = await connectPeer();
  tiny.socket.write(chunked + '1\r\nx\r\n'.repeat(1_000_000));
  assert.match(await tiny.closed(), /^HTTP\/1.1 400/);
});

test('refuses a body below the minimum rate, however steadily it arrives', async (context) => {
  const limits = { bodyWindowMs: 50, bodyBytesPerWindowMin: 1_000, bodyIdleTimeoutMs: 60_000 };
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'), { limits });
  const slow = await connectPeer();
  slow.socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
  const drip = setInterval(() => slow.socket.write('y'), 10);
  context.after(() => clearInterval(drip));
  assert.match(await slow.closed(), /^HTTP\/1.1 408/);
});

test('refuses a body that takes too long in total', async (context) => {
  const limits = { bodyTimeoutMs: 100, bodyBytesPerWindowMin: 0 };
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'), { limits });
  const slow = await connectPeer();
  slow.socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
  const drip = setInterval(() => slow.socket.write('y'.repeat(100)), 10);
  context.after(() => clearInterval(drip));
  assert.match(await slow.closed(), /^HTTP\/1.1 408/);
});

test('can refuse a request with a body by its head alone', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'), {
    refuseHead: ({ headers }) =>
      headers.get('authorization') === undefined ? new HttpSyntaxError(401, 'No key.') : undefined,
  });
  const peer = await connectPeer();
  peer.socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n');
  assert.match(await peer.closed(), /^HTTP\/1.1 401/);
});

test('at the maximum number of connections, closes the one that has been idle longest', async (context) => {
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'x'), {
    connectionsMax: 3,
  });
  const silent = await connectPeer();
  const active = await connectPeer();
  await connectPeer();
  active.socket.write(get('/'));
  await active.until(/x$/);
  const newcomer = await connectPeer();
  newcomer.socket.write(get('/'));
  await newcomer.until(/x$/);
  assert.equal(await silent.closed(), '');
  active.socket.write(get('/'));
  await active.until(/x.*x$/s);
});

test('when every connection is busy, marks a further one as over the limit and closes it', async (context) => {
  const waiting: ServerExchange[] = [];
  const { connectPeer } = await serve(
    context,
    (exchange) => {
      if (exchange.overLimit) reply(exchange, 'over');
      else waiting.push(exchange);
    },
    { connectionsMax: 2 },
  );
  const busy = await Promise.all([connectPeer(), connectPeer()]);
  for (const peer of busy) peer.socket.write(get('/'));
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const reserve = await connectPeer();
  reserve.socket.write(get('/health'));
  assert.match(await reserve.closed(), /over$/);
  for (const exchange of waiting) reply(exchange, 'late');
  for (const peer of busy) await peer.until(/late$/);
});

/** Memory of so many bytes for a server. */
function serverMemory(bytesMax: number) {
  const budget = new MemoryBudget(bytesMax);
  return { budget, requests: budget.share(7 / 8), responses: budget.share(1) };
}

test('what a client does not read counts as held memory until it is read, or the client is gone', async (context) => {
  const memory = serverMemory(2 ** 30);
  const bytes = 8 * 2 ** 20;
  const { connectPeer } = await serve(
    context,
    (exchange) => {
      exchange.begin(
        `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n${exchange.lastLines}\r\n`,
        undefined,
      );
      exchange.write(Buffer.alloc(bytes, 'x'));
      exchange.end();
    },
    { memory },
  );
  const peers = [await connectPeer(), await connectPeer()] as const;
  for (const { socket } of peers) socket.pause().write(get('/'));
  await until(() => memory.responses.bytes > bytes);
  peers[0].socket.destroy();
  await until(() => memory.responses.bytes <= bytes);
  peers[1].socket.resume();
  await until(() => memory.budget.bytes === 0);
});

test('a client that does not read is disconnected when others fill the memory', async (context) => {
  const memory = { ...serverMemory(24 * 2 ** 20), dropped: 0 };
  const bytes = 8 * 2 ** 20;
  const { connectPeer } = await serve(
    context,
    (exchange) => {
      exchange.begin(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`, undefined);
      exchange.write(Buffer.alloc(bytes, 'x'));
      exchange.end();
    },
    { memory },
  );
  const first = await connectPeer();
  first.socket.pause().write(get('/'));
  await until(() => memory.responses.bytes > 0);
  // It is the one that is behind longest, so the others wait for a tick.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const others = await Promise.all([connectPeer(), connectPeer(), connectPeer()]);
  for (const { socket } of others) socket.pause().write(get('/'));
  first.socket.resume();
  assert.ok((await first.closed()).length < bytes);
  assert.ok(memory.budget.bytes <= memory.budget.bytesMax);
});

test('requests that are sent ahead are lost when memory is full, with the connection after the one in flight', async (context) => {
  const memory = serverMemory(8_192);
  const waiting: ServerExchange[] = [];
  const { connectPeer } = await serve(context, (exchange) => waiting.push(exchange), { memory });
  const peer = await connectPeer();
  peer.socket.write(get('/first'));
  await until(() => waiting.length === 1);
  peer.socket.write(get('/ahead').repeat(100));
  await until(() => memory.budget.bytes > 0);
  peer.socket.write(get('/ahead').repeat(200));
  await until(() => memory.budget.bytes === 0);
  reply(waiting[0] as ServerExchange, 'one');
  assert.equal((await peer.closed()).match(/HTTP\/1\.1 200/g)?.length, 1);
  assert.equal(waiting.length, 1);
});

test('a body that the memory can never hold is refused as too large, one that it cannot hold now for the time being', async (context) => {
  const memory = serverMemory(8_000);
  const waiting: ServerExchange[] = [];
  const { connectPeer } = await serve(context, (exchange) => waiting.push(exchange), { memory });
  const post = (bytes: number) =>
    `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`;
  const large = await connectPeer();
  large.socket.write(post(7_001));
  assert.match(await large.closed(), /^HTTP\/1\.1 413 /);
  const [first, second] = await Promise.all([connectPeer(), connectPeer()]);
  first.socket.write(post(5_000));
  await until(() => waiting.length === 1);
  second.socket.write(post(5_000));
  assert.match(await second.closed(), /^HTTP\/1\.1 503 /);
  reply(waiting[0] as ServerExchange, 'done');
  await first.until(/done/);
  assert.equal(memory.budget.bytes, 0);
});

test('a request without a body is served however full the memory is', async (context) => {
  const memory = serverMemory(1_000);
  memory.responses.force(5_000);
  const { connectPeer } = await serve(context, (exchange) => reply(exchange, 'ok'), { memory });
  const peer = await connectPeer();
  peer.socket.write(get('/health'));
  assert.match(await peer.until(/ok$/), /^HTTP\/1\.1 200 /);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
