// What the front of a cache server does with the clients of a store that crashes: by the state in which the store left each of them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { CacheFront, marksDescriptor } from '../../src/apps/cache/index.ts';
import { CacheClient as Client } from '../support/cache.ts';
import { until } from '../support/until.ts';

const clocks = {
  clock: { nowSeconds: () => performance.now() / 1000 },
  wallClock: { nowSeconds: () => Date.now() / 1000 },
};
const states = { idle: 0, busy: 1, replying: 2 };
const [hit, miss] = [200, 400];

interface Crash {
  /** What the store marked last. */
  readonly state: keyof typeof states;
  /** Whether it wrote the reply. */
  readonly replies: boolean;
}

/** The first store crashes at its first request; the next ones answer each request with a hit. */
function storeThatCrashes({ state, replies }: Crash) {
  let starts = 0;
  return (marks: number) => {
    const isFirst = starts++ === 0;
    const script = `
      const { writeSync } = require('node:fs');
      const { Socket } = require('node:net');
      const reply = Buffer.alloc(36);
      reply.writeInt32LE(${hit}, 0);
      const crash = () => process.kill(process.pid, 'SIGKILL');
      process.on('message', ({ kind, id }, handle) => {
        if (kind !== 'client') return;
        const client = new Socket({ handle });
        client.on('data', () => {
          if (${!isFirst}) return client.write(reply);
          writeSync(${marksDescriptor}, Buffer.from([${states[state]}]), 0, 1, id);
          if (${replies}) client.write(reply, crash);
          else crash();
        });
      });
      process.send({ kind: 'ready', urls: [] });`;
    return spawn(process.execPath, ['--eval', script], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', marks],
    });
  };
}

async function frontOf(t: TestContext, crash: Crash) {
  const log: string[] = [];
  const front = new CacheFront({
    ...{ host: '127.0.0.1', lmPort: 0, respPort: 0, ...clocks },
    spawnStore: storeThatCrashes(crash),
    log: { info: (line: string) => log.push(line), error: () => {} } as never,
  });
  assert.equal(await front.open(), undefined);
  t.after(() => front.close(0));
  const client = new Client(t, front, 'lm');
  await once(client.socket, 'connect');
  return { client, servesAgain: () => log.some((line) => line.includes('serves clients again')) };
}

async function status(client: Client): Promise<number> {
  const head = await client.askLm(3, 'k');
  return head.length === 36 ? head.readInt32LE(0) : 0;
}

test('a client that has the reply goes on, though the store crashed before it could say so', async (t) => {
  const { client, servesAgain } = await frontOf(t, { state: 'replying', replies: true });
  assert.equal(await status(client), hit);
  assert.equal(await status(client), miss, 'the front answers');
  await until(servesAgain);
  await until(async () => (await status(client)) === hit);
  assert.equal(client.isClosed, false);
});

test('a client whose reply may be lost is disconnected when it asks nothing for a while', async (t) => {
  const { client, servesAgain } = await frontOf(t, { state: 'replying', replies: false });
  const asked = performance.now();
  assert.equal(await status(client), 0);
  assert.ok(client.isClosed);
  const waitedMs = performance.now() - asked;
  assert.ok(waitedMs > 1900, `${waitedMs} ms: an idle client has time for its next request`);
  await until(servesAgain);
});

test('a client that waits for a reply is disconnected at once', async (t) => {
  const { client } = await frontOf(t, { state: 'busy', replies: false });
  const asked = performance.now();
  assert.equal(await status(client), 0);
  assert.ok(client.isClosed);
  const waitedMs = performance.now() - asked;
  assert.ok(waitedMs < 1900, `${waitedMs} ms`);
});
