// Engines that fail must not take requests down with them, with whole fleets of scripted engines on real sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEngineViews } from '../../src/core/views/index.ts';
import { post, stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond, type Script } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const hello = { model: 'm', messages: [{ role: 'user', content: 'Hello' }], user: 'u' };
const answers = ({ socket }: ReceivedRequest) => respond(socket, 200, '{"ok":true}');
const serves: Script = { onRequest: answers };
const policies = ['roundrobin', 'session', 'kvaware', 'prefixaware', 'leastloaded', 'predictive'];

for (const policy of policies) {
  for (const status of [500, 429]) {
    test(`an engine of four that always answers ${status} fails no request, and is hardly asked once it is known: ${policy}`, async (t) => {
      const { router, engines } = await stack(
        t,
        [{ onRequest: ({ socket }) => respond(socket, status, '{}') }, serves, serves, serves],
        { policy, sessionKey: 'user' },
      );
      const [bad] = engines;
      const send = async (count: number, from: number) => {
        for (let i = from; i < from + count; i++) {
          // Sessions and prompts of their own, so that each policy spreads them.
          const content = `${i} `.repeat(200);
          const body = { ...hello, user: `u${i}`, messages: [{ role: 'user', content }] };
          const response = await post(router, body);
          assert.equal(response.status, 200, `request ${i}`);
          await response.text();
        }
      };
      await send(100, 0);
      const before = bad?.received.length ?? 0;
      await send(300, 100);
      const met = (bad?.received.length ?? 0) - before;
      assert.ok(met <= 6, `${met} of 300 requests met it after the first hundred`);
    });
  }
}

test('200 requests to a fleet that fails each one are not 600: retries have a budget', async (t) => {
  const fails: Script = { onRequest: ({ socket }) => respond(socket, 503, '{}') };
  const { router, engines } = await stack(t, [fails, fails, fails, fails]);
  const startMs = performance.now();
  for (let i = 0; i < 20; i++) {
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const response = await post(router, hello);
        assert.ok(response.status >= 500, `${response.status}`);
        await response.text();
      }),
    );
  }
  const seconds = (performance.now() - startMs) / 1000;
  const sent = engines.reduce((sum, { received }) => sum + received.length, 0);
  // A fifth of the requests, ten per second, and what an idle router has saved up.
  const most = 200 + 0.2 * 200 + 10 * seconds + 100;
  assert.ok(sent <= most, `${sent} attempts in ${seconds.toFixed(1)} s`);
});

// Requests that break engines at the same time excuse each other, until two engines broke on each.
for (const [count, gapMs, enginesMax] of [
  [1, 0, 2],
  [5, 0, 3],
  [5, 150, 3],
] as const) {
  test(`${count} of 200 requests, ${gapMs} ms apart, that break each engine that they meet take no other request down, and no engine out`, async (t) => {
    const script: Script = {
      onRequest: (request) => {
        if (request.body.includes('poison')) request.socket.resetAndDestroy();
        else setTimeout(answers, 5, request);
      },
    };
    const { router, engines } = await stack(
      t,
      Array.from({ length: 8 }, () => script),
    );
    const innocents = Array.from({ length: 200 }, async (_, i) => {
      await sleep(i * 5);
      return (await post(router, hello)).status;
    });
    const poisoned = Array.from({ length: count }, async (_, i) => {
      await sleep(100 + i * gapMs);
      const messages = [{ role: 'user', content: `poison ${i}` }];
      return (await post(router, { model: 'm', messages })).status;
    });
    assert.deepEqual(new Set(await Promise.all(innocents)), new Set([200]));
    assert.deepEqual(new Set(await Promise.all(poisoned)), new Set([502]));
    // An idle connection that breaks is no sign of anything: such a request is sent to the engine once more.
    const met = poisoned.map(
      (_, i) =>
        engines.filter(({ received }) => received.some(({ body }) => body.includes(`poison ${i}`)))
          .length,
    );
    assert.ok(Math.max(...met) <= enginesMax, `${met} engines`);
    await until(async () => {
      const views = parseEngineViews(await (await fetch(`${router.url}/engines`)).text());
      return views.every(({ state, ejected }) => state === 'live' && !ejected);
    });
  });
}

for (const policy of ['leastloaded', 'predictive']) {
  test(`an engine that failed for a while gets its share within seconds of its recovery: ${policy}`, async (t) => {
    let isFailing = true;
    const recovers: Script = {
      onRequest: (request) => {
        if (isFailing) respond(request.socket, 500, '{}');
        else answers(request);
      },
    };
    const { router, engines } = await stack(t, [recovers, serves, serves, serves], { policy });
    const [engine] = engines;
    let asked = 0;
    const ask = async () => {
      assert.equal(
        (await post(router, { ...hello, messages: [{ role: 'user', content: `${asked++}` }] }))
          .status,
        200,
      );
      await sleep(5);
    };
    for (let i = 0; i < 200; i++) await ask();
    isFailing = false;
    const before = engine?.received.length ?? 0;
    const startMs = performance.now();
    // A tenth of a hundred requests in a row; an equal share is a quarter.
    await until(async () => {
      const from = engine?.received.length ?? 0;
      for (let i = 0; i < 100; i++) await ask();
      return (engine?.received.length ?? 0) - from >= 10;
    });
    const seconds = (performance.now() - startMs) / 1000;
    t.diagnostic(`${seconds.toFixed(1)} s, ${(engine?.received.length ?? 0) - before} requests`);
    assert.ok(seconds < 30, `${seconds} s`);
  });
}
