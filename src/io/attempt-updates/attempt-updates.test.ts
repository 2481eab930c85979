import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { AgedUpdate, AttemptUpdate } from '../../core/routing/index.ts';
import { HttpServer, Ticker } from '../http/index.ts';
import type { Logger } from '../log/index.ts';
import { parsePeerUrl } from './peer-url.ts';
import { UpdateFeed, type UpdateFeedOptions } from './update-feed.ts';
import { aliveLine, helloLine, updateLine, wholeLine } from './update-lines.ts';
import { UpdateStream, type UpdateStreamOptions } from './update-stream.ts';

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n';
const greeting = head + helloLine('other') + wholeLine;

test('a late listener first gets a snapshot of the attempts in flight, and then updates', async (t) => {
  const inFlight: AgedUpdate[] = [{ update: sent(1), agoSeconds: 2.5 }];
  const { stream, url } = await serve(t, { snapshot: () => inFlight });
  const { received } = listen(t, [url]);
  await until(() => received.length === 1);
  stream.tell(firstByte(1));
  stream.tell(finished(1));
  await until(() => received.length === 3);
  assert.deepEqual(received, [
    ['other', sent(1), 2.5],
    ['other', firstByte(1), 0],
    ['other', finished(1), 0],
  ]);
});

test('a snapshot includes the updates of the same event-loop turn once', async (t) => {
  const inFlight: AgedUpdate[] = [];
  const { stream, url, server } = await serve(t, { snapshot: () => inFlight });
  const early = listen(t, [url]);
  await until(() => server.busyConnections === 1);
  const late = listen(t, [url]);
  for (let attempt = 0; late.received.length === 0; attempt++) {
    inFlight.push({ update: sent(attempt), agoSeconds: 0 });
    stream.tell(sent(attempt));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(
    () => early.received.length === inFlight.length && late.received.length === inFlight.length,
  );
  const attempts = inFlight.map(({ update }) => update.attempt);
  assert.deepEqual(attemptsOf(early.received), attempts);
  assert.deepEqual(attemptsOf(late.received), attempts);
});

test('a silent router is dropped, logged once, and reconnected with a new snapshot', async (t) => {
  let told = sent(1);
  const peer = await scripted(t, (socket) => {
    socket.write(head + helloLine('other') + updateLine(told) + wholeLine + aliveLine(1));
  });
  const { feed, received, lines } = listen(t, [peer.url], { silenceMs: 60 });
  await until(() => received.length === 1);
  told = sent(2);
  await until(() => received.length === 3);
  assert.deepEqual(received, [
    ['other', sent(1), 0],
    ['other', 'lost'],
    ['other', sent(2), 0],
  ]);
  assert.equal(feed.state[0]?.state, 'connected');
  await until(() => lines.length === 3);
  assert.deepEqual(lines, [
    `info router at ${peer.url} connected (other)`,
    `warning router at ${peer.url} disconnected: it was silent for 0.06 s`,
    `info router at ${peer.url} connected (other)`,
  ]);
});

test('a router that sends a line byte by byte is as good as silent: its attempts do not stay counted', async (t) => {
  const peer = await scripted(t, (socket) => {
    socket.write(head + helloLine('other') + updateLine(sent(1)) + wholeLine + aliveLine(1));
    const timer = setInterval(() => socket.write(' '), 10);
    socket.on('close', () => clearInterval(timer));
  });
  const { received, feed } = listen(t, [peer.url], { silenceMs: 60 });
  await until(() => received.length >= 2);
  assert.deepEqual(received.slice(0, 2), [
    ['other', sent(1), 0],
    ['other', 'lost'],
  ]);
  assert.equal(feed.state[0]?.problem, 'it was silent for 0.06 s');
});

for (const [what, lie] of [
  ['an invalid line', (at: number) => `{"kind":"${'?'.repeat(at)}"}\n`],
  ['another version each time', (at: number) => `{"kind":"hello","version":${at},"router":"x"}\n`],
  ['nothing more', () => ''],
] as const) {
  test(`a router that breaks each of its streams, with ${what}, is contacted less and less and reported twice`, async (t) => {
    const asked: number[] = [];
    const peer = await scripted(t, (socket) => {
      asked.push(performance.now());
      socket.end(greeting + aliveLine(1) + lie(asked.length));
    });
    const { lines } = listen(t, [peer.url], { reconnectMs: 1, random: () => 0 });
    await until(() => asked.length === 10);
    assert.equal(lines.length, 4, lines.join('\n'));
    const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
    // Half of 1 ms, doubled each time since the third stream.
    assert.ok((pauses.at(-1) ?? 0) > 32, `${pauses}`);
  });
}

test('of a router that fails in another way each time, the first eight reasons are logged', async (t) => {
  let asked = 0;
  const peer = await scripted(t, (socket) => {
    asked++;
    socket.write(`HTTP/1.1 ${400 + asked * 2} No\r\nContent-Length: 0\r\n\r\n`);
  });
  const { lines } = listen(t, [peer.url], { reconnectMs: 1, random: () => 0 });
  await until(() => asked === 11);
  assert.equal(lines.length, 8);
});

test('keep-alive lines keep an idle router connected', async (t) => {
  const { url } = await serve(t, { aliveMs: 20 });
  const { feed, received } = listen(t, [url], { silenceMs: 100 });
  await until(() => feed.state[0]?.delaySeconds != null);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.deepEqual([feed.state[0]?.state, received], ['connected', []]);
});

test('a listener that reads nothing is disconnected, and starts over when it reads again', async (t) => {
  let cuts = 0;
  const inFlight: AgedUpdate[] = [];
  const { stream, url, port } = await serve(t, {
    snapshot: () => inFlight,
    unsentBytesMax: 65_536,
    onCut: () => cuts++,
  });
  const stuck = connect(port, '127.0.0.1').pause();
  stuck.write('GET /router/attempts HTTP/1.1\r\nHost: x\r\n\r\n');
  const { received } = listen(t, [url]);
  await until(() => stream.listeners === 2);
  let told = 0;
  while (cuts === 0) {
    for (let i = 0; i < 100; i++) stream.tell(sent(told++));
    await new Promise((resolve) => setImmediate(resolve));
    // The other listener gets time to read.
    await until(() => received.length === told);
    assert.ok(told < 1_000_000, 'it is disconnected before the kernel buffers that much');
  }
  assert.deepEqual([cuts, stream.listeners], [1, 1]);
  stuck.destroy();
  inFlight.push({ update: sent(told), agoSeconds: 0 });
  const again = listen(t, [url]);
  await until(() => again.received.length === 1);
  assert.deepEqual(again.received[0], ['other', sent(told), 0]);
});

test('a first snapshot may exceed the bound on unsent bytes', async (t) => {
  const blocks = { hashes: new Float64Array(1000).fill(1), blockBytes: 256, promptBytes: 256_000 };
  const inFlight = Array.from({ length: 600 }, (_, attempt) => ({
    update: { ...sent(attempt), blocks },
    agoSeconds: 0,
  }));
  const { stream, url } = await serve(t, { snapshot: () => inFlight, unsentBytesMax: 1 });
  const { received } = listen(t, [url]);
  await until(() => received.length === 600);
  assert.equal(stream.listeners, 1);
  const named = received.filter(
    ([, update]) => (update as { blocks?: unknown }).blocks !== undefined,
  );
  assert.ok(named.length > 300 && named.length < 500, `${named.length} prompts have named blocks`);
});

test('a router recognises itself, and a router with two names counts once', async (t) => {
  const { stream, url, port } = await serve(t, {});
  const own = listen(t, [url], { router: 'other' });
  await until(() => own.feed.state[0]?.state === 'self');
  await until(() => stream.listeners === 0);
  const both = listen(t, [url, `http://localhost:${port}`], { lookup: async () => ['127.0.0.1'] });
  await until(() => both.feed.state.some(({ state }) => state === 'duplicate'));
  assert.deepEqual(both.feed.state.map(({ state }) => state).toSorted(), [
    'connected',
    'duplicate',
  ]);
  stream.tell(sent(1));
  await until(() => both.received.length > 0);
  assert.deepEqual([both.received.length, stream.listeners], [1, 1]);
});

test('all addresses of a name are used, and one that is no longer listed is followed until its stream ends', async (t) => {
  const first = await scripted(t, (socket) => socket.write(greeting + aliveLine(1)));
  let addresses = ['127.0.0.1', '127.0.0.2'];
  const { feed, received } = listen(t, [`http://routers:${new URL(first.url).port}`], {
    lookup: async () => addresses,
    lookupMs: 10,
  });
  await until(() => feed.state[0]?.state === 'connected' && feed.state.length === 2);
  assert.deepEqual(
    feed.state.map(({ address }) => address),
    addresses,
  );
  addresses = ['127.0.0.3'];
  await until(() => feed.state.some(({ address }) => address === '127.0.0.3'));
  assert.deepEqual(
    feed.state.map(({ address, state }) => [address, state]),
    [
      ['127.0.0.1', 'connected'],
      ['127.0.0.3', 'connecting'],
    ],
  );
  for (const socket of first.sockets) socket.destroy();
  await until(() => feed.state.length === 1);
  assert.deepEqual(received, [['other', 'lost']]);
});

test('a host name that cannot be resolved is logged once, and its known addresses stay', async (t) => {
  const { url, port } = await serve(t, {});
  let looks = 0;
  const { feed, lines } = listen(t, [`http://routers:${port}`], {
    lookup: async () => {
      if (looks++ > 0) throw Object.assign(new Error('no'), { code: 'ENOTFOUND' });
      return ['127.0.0.1'];
    },
    lookupMs: 5,
  });
  await until(() => looks > 5 && feed.state[0]?.state === 'connected');
  assert.deepEqual(lines, [
    `warning routers at http://routers:${port}: the host name cannot be resolved (ENOTFOUND)`,
  ]);
  assert.ok(url);
});

for (const [what, answer, problem] of [
  ['garbage', `${greeting}#?\n`, 'it sent a line that is not JSON'],
  ['updates without a hello line', head + updateLine(sent(1)), 'it sent no hello line'],
  ['a page', `${head}<html>`.padEnd(300_000, '.'), 'it sent a line over 262144 bytes'],
  [
    'another version',
    `${head}{"kind":"hello","version":2,"router":"other"}\n{"kind":"?"}\n`,
    'it uses version 2 of the protocol, this router version 1',
  ],
  ['a request for a key', 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n', 'it requires a key'],
  ['404', 'HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n', 'it does not share its attempts'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'it does not respond in HTTP'],
] as const) {
  test(`a peer that responds with ${what} is logged once, however often it is contacted`, async (t) => {
    let asked = 0;
    const peer = await scripted(t, (socket) => {
      asked++;
      socket.write(answer, 'latin1');
    });
    const { feed, received, lines } = listen(t, [peer.url]);
    await until(() => asked > 3);
    assert.deepEqual(lines, [`warning router at ${peer.url} cannot be connected: ${problem}`]);
    assert.equal(feed.state[0]?.problem, problem);
    assert.ok(received.every(([, update]) => update === 'lost'));
  });
}

test('a peer with a different key is reported, and gets our key in a header', async (t) => {
  const keys: string[] = [];
  const peer = await scripted(t, (socket, request) => {
    keys.push(/^authorization: (.*)$/im.exec(request)?.[1] ?? '');
    socket.write('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n');
  });
  const { feed } = listen(t, [`${peer.url}/behind/`], { key: 'secret' });
  await until(() => feed.state[0]?.problem === 'it has a different key');
  assert.equal(keys[0], 'Bearer secret');
});

test('growing pauses separate the attempts to connect to a peer', async (t) => {
  const asked: number[] = [];
  const peer = await scripted(t, (socket) => {
    asked.push(performance.now());
    socket.destroy();
  });
  listen(t, [peer.url], { reconnectMs: 20, random: () => 0 });
  await until(() => asked.length === 5);
  const pauses = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
  // Half of 20, 40, 80 and 160 ms; timers may fire a millisecond early.
  for (const [i, least] of [10, 20, 40, 80].entries())
    assert.ok((pauses[i] ?? 0) > least - 2, `${pauses}`);
});

test('the stream ends only when the last attempt does', async (t) => {
  const { stream, url, server } = await serve(t, {});
  const { received, feed } = listen(t, [url]);
  await until(() => stream.listeners === 1);
  stream.tell(sent(1));
  stream.endWhenIdle();
  await until(() => received.length === 1);
  assert.equal(server.busyConnections, 1);
  stream.tell(finished(1));
  await until(() => received.length === 3);
  assert.deepEqual(received.slice(1), [
    ['other', finished(1), 0],
    ['other', 'lost'],
  ]);
  assert.equal(stream.listeners, 0);
  await until(() => feed.state[0]?.problem !== 'it has shut down');
  assert.equal(stream.listeners, 0, 'and accepts no new listener');
});

test('a closed feed leaves no socket and no timer', async (t) => {
  const { stream, url, server } = await serve(t, {});
  const { feed, received } = listen(t, [url, 'http://127.0.0.1:9']);
  await until(() => feed.state[0]?.state === 'connected');
  assert.equal(stream.listeners, 1);
  feed.close();
  assert.deepEqual([received, feed.state], [[['other', 'lost']], []]);
  await until(() => server.connections === 0);
});

test('refuses text that is not a router’s URL', () => {
  for (const url of ['', 'routers:8000', 'ftp://r', 'http://u:p@r', 'http://r?x', 'http://r#x']) {
    assert.throws(() => parsePeerUrl(url), /not a router's URL: it must look like/);
  }
  assert.deepEqual(parsePeerUrl('HTTPS://Routers/a/'), {
    url: 'https://routers/a',
    hostname: 'routers',
    port: 443,
    basePath: '/a',
    host: 'routers',
  });
});

function sent(attempt: number): AttemptUpdate & { kind: 'sent' } {
  const tokens = { promptTokens: 9, cachedTokens: 4 };
  return { kind: 'sent', attempt, url: 'http://e', ...tokens, stream: true, blocks: undefined };
}

function firstByte(attempt: number): AttemptUpdate {
  return { kind: 'firstByte', attempt };
}

function finished(attempt: number): AttemptUpdate {
  const none = { promptTokens: undefined, cachedTokens: undefined, outputTokens: undefined };
  return { kind: 'finished', attempt, status: 'completed', ...none };
}

/** The serving end of the stream, on a real server. */
async function serve(t: TestContext, options: Partial<UpdateStreamOptions>) {
  const ticker = new Ticker({ tickMs: 10 });
  const stream = new UpdateStream({
    router: 'other',
    snapshot: () => [],
    sharedUrl: (url) => url,
    ...options,
  });
  const server = new HttpServer({
    ticker,
    onRequest: (exchange) => {
      if (!stream.add(exchange)) exchange.destroy();
    },
    refusal: () => 'HTTP/1.1 400 No\r\n\r\n',
  });
  const port = await server.listen('127.0.0.1', 0);
  t.after(() => {
    server.destroy();
    ticker.stop();
  });
  return { stream, server, port, url: `http://127.0.0.1:${port}` };
}

/** A scripted peer. */
async function scripted(t: TestContext, answer: (socket: Socket, request: string) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', (bytes) => answer(socket, bytes.toString()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `http://127.0.0.1:${port}`, sockets };
}

type Heard = readonly [router: string, update: AttemptUpdate | 'lost', agoSeconds?: number];

function attemptsOf(received: readonly Heard[]): unknown[] {
  return received.map(([, update]) => update !== 'lost' && update.attempt);
}

function listen(t: TestContext, urls: readonly string[], options: Partial<UpdateFeedOptions> = {}) {
  const ticker = new Ticker({ tickMs: 10 });
  const received: Heard[] = [];
  const lines: string[] = [];
  const to = (level: string) => (text: string) => lines.push(`${level} ${text}`);
  const log = { info: to('info'), warning: to('warning'), debug: () => {} } as unknown as Logger;
  const feed = new UpdateFeed({
    ...{ router: 'this', peers: urls.map(parsePeerUrl), ticker, log, reconnectMs: 5 },
    onUpdate: (...update) => received.push(update),
    onLost: (router) => received.push([router, 'lost']),
    ...options,
  });
  feed.start();
  t.after(() => {
    feed.close();
    ticker.stop();
  });
  return { feed, received, lines };
}

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within 10 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
