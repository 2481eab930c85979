// An engine whose process is replaced at the same address, between two regular checks.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseEngineViews, parsePickViews } from '../../src/core/views/index.ts';
import { post, stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const never = 3_600_000;
const prompt = { model: 'm', messages: [{ role: 'user', content: 'word '.repeat(2000) }] };

/** A router that checks its engine only when something happens, and has sent it a prompt. */
async function withCache(t: TestContext) {
  let start = 1_000_000;
  let reads = 0;
  let answer = (request: ReceivedRequest) => respond(request.socket, 200, '{"ok":true}');
  const { router, engines } = await stack(
    t,
    [
      {
        metrics: () => {
          reads++;
          return `process_start_time_seconds ${start}\nvllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:prompt_tokens_total ${start}\n`;
        },
        onRequest: (request) => answer(request),
      },
    ],
    {
      ...{ policy: 'predictive', healthIntervalMs: never, statsIntervalMs: never },
      upstream: { idleTimeoutMs: never },
    },
  );
  const [engine] = engines;
  /** Prompt tokens that the last pick expected in the engine's cache. */
  const cachedTokens = async () => {
    const picks = parsePickViews(await (await fetch(`${router.url}/debug/picks`)).text());
    return picks.reduce((last, pick) => (pick.atSeconds > last.atSeconds ? pick : last))
      .cachedTokens;
  };
  await post(router, prompt);
  await post(router, prompt);
  assert.ok((await cachedTokens()) > 1000, `${await cachedTokens()}`);
  return {
    router,
    cachedTokens,
    reads: () => reads,
    /** Resolves when the router has read the metrics of the current process. */
    seen: () =>
      until(async () => {
        const views = parseEngineViews(await (await fetch(`${router.url}/engines`)).text());
        return views[0]?.reported?.promptTokens === start;
      }),
    /** A new process listens; the connections of the old one break. */
    restart: () => {
      start += 60;
      for (const socket of engine?.sockets ?? []) socket.destroy();
    },
    reply: (next: typeof answer) => {
      answer = next;
    },
  };
}

test('a restart between two checks is noticed by its connections, before the next pick trusts its cache', async (t) => {
  const { router, cachedTokens, restart, seen } = await withCache(t);
  restart();
  await seen();
  await post(router, prompt);
  assert.equal(await cachedTokens(), 0);
});

test('an engine that only closes a connection keeps what is known of its cache, and is not asked each time', async (t) => {
  const { router, cachedTokens, reads, reply } = await withCache(t);
  const before = reads();
  for (let i = 0; i < 20; i++) {
    reply(({ socket }) => {
      respond(socket, 200, '{"ok":true}');
      setImmediate(() => socket.destroy());
    });
    await (await post(router, prompt)).text();
  }
  await until(() => reads() > before);
  await post(router, prompt);
  assert.ok((await cachedTokens()) > 1000);
  assert.ok(reads() - before < 15, `${reads() - before} readings`);
});

test('a restart that breaks a request is noticed with it', async (t) => {
  const { router, cachedTokens, restart, seen, reply } = await withCache(t);
  reply(({ socket }) => {
    reply((request) => respond(request.socket, 200, '{"ok":true}'));
    // The engine has begun: the request is not sent again.
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{');
    setImmediate(restart);
  });
  await assert.rejects(async () => (await post(router, prompt)).text());
  await seen();
  await post(router, prompt);
  assert.equal(await cachedTokens(), 0);
});
