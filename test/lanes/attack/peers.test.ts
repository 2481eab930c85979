// Peer routers that have other keys, speak another version, lie, or say as little as they can: no load that is not theirs, and a few
// lines in the log rather than one per message.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBystander, startTarget, type Target, until } from './target.ts';

/** Log lines about a peer: two connections and their losses. */
const linesMax = 4;
/** Lines about engines that only peers have: one for each of the first 64. */
const unknownEngineLinesMax = 64;
/** Memory that all peers of a test may cost; 9 MiB were seen. */
const growthMiBMax = 96;
/** Of attempts of one router, by docs/reference/attempt-updates.md. */
const peerAttemptsMax = 65_536;
/** Time in which a router that lies connects more than ten times, if it is contacted as before. */
const lyingMs = 6_000;

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n';
const hello = (router: string, version = 1) =>
  `${JSON.stringify({ kind: 'hello', version, router })}\n`;
const whole = '{"kind":"whole"}\n';
const alive = (atMs: number) => `{"kind":"alive","atMs":${atMs}}\n`;
const sent = (attempt: number, url: string, more: object = {}) =>
  `${JSON.stringify({ kind: 'sent', attempt, url, promptTokens: 100, cachedTokens: 0, stream: true, ...more })}\n`;

const everywhere = 'http://10.9.0.1:8000';

const lies: Readonly<Record<string, (url: string) => string>> = {
  'a negative count': (url) => sent(1, url, { promptTokens: -5 }),
  'a huge number': (url) => sent(1, url, { promptTokens: 1e300 }),
  'an infinite number': (url) => sent(1, url).replace('100', '1e999'),
  'ends long before the start': (url) =>
    `${sent(1, url)}{"kind":"firstByte","attempt":1,"agoSeconds":1e13}\n` +
    '{"kind":"finished","attempt":1,"status":"completed","agoSeconds":1e13}\n',
  'more ends than starts': (url) =>
    sent(1, url) + '{"kind":"finished","attempt":1,"status":"failed","broke":true}\n'.repeat(50),
  'engines that no other router has': () =>
    Array.from({ length: 5_000 }, (_, i) => sent(i, everywhere.replace(':8', `:${i}8`))).join(''),
  'a URL with control characters': () => sent(1, 'http://a\u001b[2J\nforged'),
  'names of prototypes': () =>
    '{"kind":"alive","atMs":1,"stored":{"__proto__":["a"],"constructor":["b"]}}\n',
  'a line of another kind': () => '{"kind":"explode"}\n',
  'no JSON': () => '}{\n',
  'a second hello line': () => hello('again'),
};

test('peers that lie, each in its way, beside one of another version and one with another key', async (t) => {
  const target = await startTarget(t);
  const { url: engine } = target.engine;
  const liars = await Promise.all(
    Object.values(lies).map((lie, i) =>
      startPeer(t, (socket) => chat(socket, `liar-${i}`, lie(engine))),
    ),
  );
  const old = await startPeer(t, (socket) =>
    socket.write(head + hello('old', 0) + sent(1, engine)),
  );
  const keys = { SPILLWAY_ROUTER_PEERS_KEY: 'theirs' };
  const stranger = await startTarget(t, ['--router-peers', old, '--api-key', 'clients'], [engine], {
    env: keys,
  });
  const peers = [...liars, old, stranger.url];
  const router = await startTarget(t, ['--router-peers', peers.join(',')], [engine], {
    env: { SPILLWAY_ROUTER_PEERS_KEY: 'ours' },
  });
  const before = await router.measure();
  const bystander = startBystander(router);
  await sleep(lyingMs);
  const { failures, served } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 0, 'clients are served');
  const after = await router.measure();
  assert.ok(after.peakRssMiB - before.rssMiB < growthMiBMax, `${after.peakRssMiB - before.rssMiB}`);
  for (const [i, url] of peers.entries()) {
    const lines = linesAbout(router, url);
    const what = Object.keys(lies)[i] ?? url;
    assert.ok(lines.length >= 1 && lines.length <= linesMax, `${what}:\n${lines.join('\n')}`);
  }
  assert.match(linesAbout(router, stranger.url).join('\n'), /it has a different key/);
  assert.match(linesAbout(router, old).join('\n'), /it uses version 0 of the protocol/);
  assert.ok(linesAbout(router, 'not an engine of this router').length <= unknownEngineLinesMax);
  assert.doesNotMatch(router.log().replaceAll('\n', ''), /\p{Cc}/u);
  assert.doesNotMatch(router.log(), /^forged/m);
  assert.deepEqual(await loadOf(router), {
    inflight: 0,
    prefilling: 0,
    prefillTokens: 0,
    decodeTokens: 0,
  });
  const page = await (await fetch(`${router.adminUrl}/metrics`)).text();
  // -1 of a mean is "none yet", as upstream has it.
  assert.deepEqual(page.match(/^(?!#|vllm:avg_).* (-\d|NaN).*$/gm) ?? [], []);
});

test('a peer that sends an endless line, and two that send as slowly as they can', async (t) => {
  const { engine } = await startTarget(t);
  let poured = 0;
  const long = await startPeer(t, async (socket) => {
    const piece = Buffer.alloc(65_536, 0x61);
    socket.write(head + hello('long'));
    // A gigabyte, were it read.
    for (let i = 0; i < 16_384 && !socket.destroyed; i++) {
      poured += piece.length;
      if (socket.write(piece)) continue;
      await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
  });
  const slow = await startPeer(t, (socket) => {
    socket.write(head + hello('slow') + sent(1, engine.url) + whole + alive(1));
    drip(socket);
  });
  const mute = await startPeer(t, (socket) => {
    socket.write(head);
    drip(socket);
  });
  const router = await startTarget(
    t,
    ['--router-peers', [long, slow, mute].join(',')],
    [engine.url],
  );
  const before = await router.measure();
  await until(() => linesAbout(router, slow).some((line) => /silent for 3 s/.test(line)));
  await until(() => linesAbout(router, mute).some((line) => /silent for 3 s/.test(line)));
  assert.match(linesAbout(router, long).join('\n'), /it sent a line over 262144 bytes/);
  const after = await router.measure();
  assert.ok(after.peakRssMiB - before.rssMiB < growthMiBMax, `${after.peakRssMiB - before.rssMiB}`);
  assert.ok(poured < 2 ** 28, `${poured} bytes were read`);
  for (const url of [long, slow, mute]) assert.ok(linesAbout(router, url).length <= linesMax);
});

test('a peer that reports a million attempts: so many count as one router may have, until it is gone', async (t) => {
  const { engine } = await startTarget(t);
  const sockets: Socket[] = [];
  const flood = await startPeer(t, async (socket) => {
    sockets.push(socket);
    socket.write(head + hello('flood') + whole);
    for (let i = 0; i < 1_000_000 && !socket.destroyed; i += 1_000) {
      const lines = Array.from({ length: 1_000 }, (_, j) => sent(i + j, engine.url)).join('');
      if (socket.write(lines)) continue;
      await new Promise<void>((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
    every(500, socket, () => socket.write(alive(performance.now())));
  });
  const router = await startTarget(t, ['--router-peers', flood], [engine.url]);
  const before = await router.measure();
  const bystander = startBystander(router);
  await until(() => sockets.some((socket) => socket.bytesWritten > 90_000_000));
  const { failures, served } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 0, 'clients are served');
  assert.equal((await loadOf(router))['inflight'], peerAttemptsMax);
  const after = await router.measure();
  assert.ok(after.longestPauseMs < 250, `a pause of ${after.longestPauseMs.toFixed(0)} ms`);
  assert.ok(
    after.peakRssMiB - before.rssMiB < 2 * growthMiBMax,
    `${after.peakRssMiB - before.rssMiB}`,
  );
  for (const socket of sockets) socket.destroy();
  await until(async () => (await loadOf(router))['inflight'] !== peerAttemptsMax);
});

/** Writes one byte of a line per second. */
const drip = (socket: Socket) => every(1_000, socket, () => socket.write(' '));

function every(ms: number, socket: Socket, act: () => void): void {
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : act()), ms);
}

/** A stream with one lie in it, which then goes on as usual. */
function chat(socket: Socket, router: string, lie: string): void {
  socket.write(head + hello(router) + whole + alive(1) + lie);
  let now = 1;
  every(200, socket, () => socket.write(alive(++now)));
}

/** A peer that does this with each connection of the router. */
async function startPeer(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', () => serve(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const linesAbout = ({ log }: Target, text: string): string[] =>
  log()
    .split('\n')
    .filter((line) => line.includes(text));

async function loadOf({ adminUrl }: Target): Promise<Readonly<Record<string, number>>> {
  const { engines } = (await (await fetch(`${adminUrl}/debug/router`)).json()) as {
    readonly engines: readonly { readonly load: Readonly<Record<string, number>> }[];
  };
  return engines[0]?.load ?? {};
}
