// Which states of a client a store leaves for the process that goes on with it after a crash.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CacheClient as Client } from '../../../test/support/cache.ts';
import { until } from '../../../test/support/until.ts';
import { MemoryStore, TieredStore } from '../../core/cache/index.ts';
import { listenOn } from '../../io/listen/index.ts';
import { detached } from './client-reads.ts';
import { Clients } from './clients.ts';
import { CommandTurns } from './command-turns.ts';
import type { ClientState } from './conversation.ts';
import { KeySpaces } from './key-spaces.ts';
import { noPeers } from './peer-access.ts';
import { spoken } from './protocols.ts';
import { Users } from './users.ts';

/** Serves `lm://` to clients of another process. @returns Its port, and all states of its clients. */
async function markedCache(t: TestContext) {
  const clock = { nowSeconds: () => performance.now() / 1000 };
  const memory = new MemoryStore({ bytesMax: 1 << 20, clock, checksum: () => 0 });
  const spaces = new KeySpaces(new TieredStore(memory, clock), {
    ...{ readTimeoutMs: 0, tracing: undefined },
  });
  const speak = spoken({
    ...{ spaces, users: new Users([], undefined), wallClock: clock },
    ...{ watchesChains: false, redirects: 'auto', cluster: () => undefined },
    peerAccess: noPeers,
    valueTurns: new CommandTurns(setImmediate),
  });
  const clients = new Clients({}, memory);
  const marks: ClientState[] = [];
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    clients.adopt('lm', speak.lm, detached(accepted), {
      ...{ session: undefined, closed: () => {} },
      mark: (state) => marks.push(state),
    });
  });
  const port = await listenOn(server, '127.0.0.1', 0, '--port');
  t.after(() => {
    server.close();
    clients.destroy();
  });
  return { urls: [`lm://127.0.0.1:${port}`], marks };
}

async function exist(client: Client): Promise<number> {
  return (await client.askLm(3, 'k')).readInt32LE(0);
}

test('a client is marked before and after its reply, one that pipelines only as busy', async (t) => {
  const { marks, ...server } = await markedCache(t);
  const client = new Client(t, server, 'lm');
  const sees = async (expected: readonly string[]) => {
    await until(() => marks.at(-1) === 'idle');
    assert.deepEqual(marks.splice(0), expected);
  };
  assert.equal(await exist(client), 400);
  await sees(['busy', 'replying', 'idle']);
  client.socket.write(Client.lmPut('k', Buffer.alloc(10)));
  await sees(['busy', 'idle']);
  assert.equal((await client.ask(Client.lmHead(2, 0, 'k'), 46)).readInt32LE(0), 200);
  await sees(['busy', 'replying', 'idle']);
  const two = Buffer.concat([Client.lmHead(3, 0, 'k'), Client.lmHead(3, 0, 'k')]);
  assert.equal((await client.ask(two, 72)).length, 72);
  await sees(['busy', 'idle']);
  assert.equal(await exist(client), 200);
  await sees(['busy', 'idle']);
});
