// Peers over real sockets, and peers that restart, hang and answer nonsense.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { NoResponseError } from '../../core/base/index.ts';
import {
  decodePeerMessage,
  peerError,
  peerErrors,
  peerPutRequest,
  peerPutResponse,
  peerSideRequest,
} from '../../core/lmcache/index.ts';
import { dealerRequest, openRouterSocket } from '../zmq/index.ts';
import { openPeerServer, PeerClient, type PeerServerOptions } from './index.ts';

const valueBytes = 100_000;
const chunkOf = (key: string) => new Uint8Array(valueBytes).fill(key.charCodeAt(0));

async function serve(t: TestContext, more: Partial<PeerServerOptions> = {}) {
  const server = await openPeerServer({
    ...{ host: '127.0.0.1', publicHost: '127.0.0.1', initPort: 0, lookupPort: 0, valueBytes },
    lend: (key) => (key < 'd' ? chunkOf(key) : undefined),
    take: async () => 0,
    ...more,
  });
  t.after(() => server.close());
  return server;
}

function reader(t: TestContext, timeoutMs = 5000): PeerClient {
  const client = new PeerClient({ ownInitUrl: '127.0.0.1:1', valueBytes, timeoutMs });
  t.after(() => client.close());
  return client;
}

async function fetched(client: PeerClient, initUrl: string, keys: readonly string[]) {
  const letters: string[] = [];
  await client.fetch(initUrl, keys, (bytes) => {
    assert.equal(bytes.length, valueBytes);
    letters.push(String.fromCharCode(bytes[0] as number, bytes.at(-1) as number));
    return true;
  });
  return letters.join(' ');
}

test('a peer lends chunks up to the first that it does not have', async (t) => {
  let lent = 0;
  const { initUrl } = await serve(t, { onLent: (chunks) => (lent += chunks) });
  const client = reader(t);
  assert.equal(await fetched(client, initUrl, ['a', 'b', 'c', 'x', 'a']), 'aa bb cc');
  assert.equal(await fetched(client, initUrl, ['x', 'a']), '');
  assert.equal(await fetched(client, initUrl, ['b']), 'bb');
  assert.equal(lent, 4);
});

test('many chunks come in several requests', async (t) => {
  const { initUrl } = await serve(t);
  const keys = Array.from({ length: 700 }, (_, i) => 'abc'[i % 3] as string);
  assert.equal((await fetched(reader(t), initUrl, keys)).length, 700 * 3 - 1);
});

test('a peer that has restarted is asked after another handshake', async (t) => {
  const client = reader(t);
  const first = await serve(t);
  const { initUrl } = first;
  assert.equal(await fetched(client, initUrl, ['a']), 'aa');
  await first.close();
  await assert.rejects(fetched(client, initUrl, ['a']), NoResponseError);
  await serve(t, { initPort: Number(initUrl.split(':')[1]) });
  assert.equal(await fetched(client, initUrl, ['a']), 'aa');
});

test('a peer reads the chunks that it is offered before it replies, from senders that have shaken hands', async (t) => {
  const offers: string[] = [];
  const { initUrl } = await serve(t, {
    take: async (from, keys) => {
      offers.push(`${from}: ${keys.join(' ')}`);
      return keys.length - 1;
    },
  });
  assert.equal(await reader(t).offer(initUrl, ['a', 'b', 'x'], 256), 2);
  assert.deepEqual(offers, ['127.0.0.1:1: a b x']);
  const url = await lookupUrlOf(initUrl);
  let reply: Uint8Array = new Uint8Array();
  await dealerRequest({
    ...{ endpoint: `tcp://${url}`, timeoutMs: 5000 },
    frames: [new Uint8Array(), peerPutRequest('10.0.0.1:1', ['a'], [256])],
    onMessage: (frames) => {
      reply = frames.at(-1) ?? reply;
      return true;
    },
  });
  assert.deepEqual(new Uint8Array(reply), peerPutResponse(0));
  assert.equal(offers.length, 1, 'an engine is not sent to addresses of strangers');
});

test('a peer that forgot its readers is asked after another handshake', async (t) => {
  const client = reader(t);
  const first = await serve(t);
  const [, initPort] = first.initUrl.split(':');
  assert.equal(await fetched(client, first.initUrl, ['a']), 'aa');
  const lookupPort = Number((await lookupUrlOf(first.initUrl)).split(':')[1]);
  await first.close();
  await serve(t, { initPort: Number(initPort), lookupPort });
  assert.equal(await fetched(client, first.initUrl, ['a']), 'aa');
});

test('a peer that hangs costs its deadline, and one that answers nonsense an error', async (t) => {
  const scripted = async (reply: Uint8Array | undefined) => {
    const socket = await openRouterSocket({
      endpoint: 'tcp://127.0.0.1:0',
      onMessage: (peer, frames) => reply && peer.send([...frames.slice(0, -1), reply]),
    });
    t.after(() => socket.close());
    return socket.endpoint.replace('tcp://', '');
  };
  const silent = await scripted(undefined);
  await assert.rejects(fetched(reader(t, 50), silent, ['a']), /sends nothing/);
  const refusing = await scripted(peerError(peerErrors.unknownType));
  await assert.rejects(fetched(reader(t), refusing, ['a']), /does not say where/);
  const garbled = await scripted(new Uint8Array([0xc1, 0xff]));
  await assert.rejects(fetched(reader(t), garbled, ['a']), NoResponseError);
});

/** Where lookups go, asked like a reader. */
async function lookupUrlOf(initUrl: string): Promise<string> {
  let url = '';
  await dealerRequest({
    endpoint: `tcp://${initUrl}`,
    ...{ frames: [new Uint8Array(), peerSideRequest()], timeoutMs: 5000 },
    onMessage: (frames) => {
      url = decodePeerMessage(frames.at(-1) ?? new Uint8Array()).lookupUrl;
      return true;
    },
  });
  return url;
}
