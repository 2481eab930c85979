// Which engine is asked for the tokens of a prompt, and what counts as an answer.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type ReceivedRequest,
  respond,
  startScriptedEngine,
} from '../../../../test/support/scripted-engine.ts';
import { until } from '../../../../test/support/until.ts';
import type { EndpointStatus, RoutingCore } from '../../../core/routing/index.ts';
import { Ticker, UpstreamPool } from '../../../io/http/index.ts';
import type { Engine } from '../fleet/engine.ts';
import { EngineTokenize } from './engine-tokenize.ts';

type Status = Partial<Pick<EndpointStatus, 'state' | 'models'>> & { readonly inflight?: number };

/** Engines that respond by `onRequest`, or with one token, and the state of each. */
async function begin(
  context: TestContext,
  statuses: readonly Status[],
  options: { readonly timeoutMs?: number; onRequest?: (request: ReceivedRequest) => void } = {},
) {
  const { timeoutMs = 60_000, onRequest = ({ socket }) => respond(socket, 200, '{"tokens":[7]}') } =
    options;
  const ticker = new Ticker({ tickMs: 20 });
  const scripted = await Promise.all(statuses.map(() => startScriptedEngine({ onRequest })));
  const pools = scripted.map(({ url }) => new UpstreamPool({ url, ticker, limits: {} }));
  context.after(async () => {
    for (const pool of pools) pool.close();
    ticker.stop();
    await Promise.all(scripted.map((engine) => engine.close()));
  });
  const engines = new Map(
    scripted.map(({ url }, i) => {
      const engine = { pool: pools[i], basePath: '/base', authorizationLines: ['X-Key: k'] };
      return [url, engine as unknown as Engine];
    }),
  );
  const endpoints = () =>
    statuses.map(({ state = 'live', models = ['m'], inflight = 0 }, i) => {
      return { url: scripted[i]?.url, state, models, load: { inflight } };
    });
  const core = { endpoints } as unknown as RoutingCore;
  const tokenize = new EngineTokenize(core, engines, { timeoutMs });
  return {
    scripted,
    ask: (body: object = {}) => tokenize.tokens('m', Buffer.from(JSON.stringify(body))),
    asked: () => scripted.map(({ received }) => received.length),
  };
}

test('the question has what determines the tokens, and nothing else of the request', async (t) => {
  const { ask, scripted } = await begin(t, [{}]);
  const kept = {
    ...{ prompt: 'p', messages: [], tools: [], add_special_tokens: true },
    ...{ add_generation_prompt: false, continue_final_message: false },
    chat_template_kwargs: { a: 1 },
  };
  assert.deepEqual(await ask({ ...kept, model: 'alias', stream: true }), Uint32Array.of(7));
  const [question] = scripted[0]?.received ?? [];
  assert.deepEqual(JSON.parse(question?.body ?? ''), { model: 'm', ...kept });
  assert.deepEqual([question?.method, question?.target], ['POST', '/base/tokenize']);
  assert.equal(question?.headers.get('x-key'), 'k');
  assert.equal(question?.headers.get('content-type'), 'application/json');
  await ask({ prompt: 'p' });
  assert.deepEqual(JSON.parse(scripted[0]?.received[1]?.body ?? ''), { model: 'm', prompt: 'p' });
});

test('only a live engine that has the model is asked, the one with the fewest requests', async (t) => {
  const { ask, asked } = await begin(t, [
    { state: 'dead' },
    { models: ['other'] },
    { inflight: 3 },
    { inflight: 2 },
    { inflight: 2 },
  ]);
  await ask();
  assert.deepEqual(asked(), [0, 0, 0, 1, 0]);
  const none = await begin(t, [{ state: 'dead' }]);
  assert.equal(await none.ask(), undefined);
});

test('an engine that has not answered yet is passed over, even if the other one is busy', async (t) => {
  const open: ReceivedRequest[] = [];
  const { ask, asked } = await begin(t, [{ inflight: 1 }, { inflight: 9_999 }], {
    onRequest: (request) => open.push(request),
  });
  const first = ask();
  const second = ask();
  await until(() => open.length === 2);
  assert.deepEqual(asked(), [1, 1]);
  for (const { socket } of open) respond(socket, 200, '{"tokens":[7]}');
  await Promise.all([first, second]);
  const third = ask();
  await until(() => open.length === 3);
  assert.deepEqual(asked(), [2, 1], 'its question is closed');
  respond(open[2]?.socket ?? assert.fail(), 200, '{"tokens":[7]}');
  await third;
});

test('what is not a list of tokens counts as none, and the engine is asked again', async (t) => {
  const answers = [
    [404, '{"tokens":[7]}'],
    [200, '{}'],
    [200, '{"tokens":"7"}'],
  ] as const;
  let count = 0;
  const { ask } = await begin(t, [{}], {
    onRequest: ({ socket }) => {
      const [status, body] = answers[count++] ?? [200, '{"tokens":[7]}'];
      respond(socket, status, body);
    },
  });
  for (const [status, body] of answers) assert.equal(await ask(), undefined, `${status} ${body}`);
  assert.deepEqual(await ask(), Uint32Array.of(7));
});

test('an engine that breaks or answers too late is not asked for a while', async (t) => {
  const broken = await begin(t, [{ inflight: 1 }, { inflight: 2 }], {
    onRequest: ({ socket }) => socket.resetAndDestroy(),
  });
  assert.equal(await broken.ask(), undefined);
  assert.equal(await broken.ask(), undefined);
  assert.deepEqual(broken.asked(), [1, 1]);
  await broken.ask();
  assert.deepEqual(broken.asked(), [1, 1]);
  const late = await begin(t, [{}], { timeoutMs: 20, onRequest: () => {} });
  assert.equal(await late.ask(), undefined);
  await late.ask();
  assert.deepEqual(late.asked(), [1]);
});

test('an engine that failed is asked again after 30 s', async (t) => {
  const state = { nowMs: 50_000 };
  t.mock.method(performance, 'now', () => state.nowMs);
  const { ask, asked } = await begin(t, [{}], {
    onRequest: ({ socket }) => socket.resetAndDestroy(),
  });
  await ask();
  state.nowMs += 29_999;
  await ask();
  assert.deepEqual(asked(), [1]);
  state.nowMs += 1;
  await ask();
  assert.deepEqual(asked(), [2]);
});

test('an engine has the whole time of the settings, and is free for another question once it has answered', async (t) => {
  const { ask, asked, scripted } = await begin(t, [{ inflight: 1 }, { inflight: 9_999 }], {
    onRequest: () => {},
  });
  const answerOf = (engine: number, question: number) => {
    const { socket } = scripted[engine]?.received[question] ?? assert.fail();
    respond(socket, 200, '{"tokens":[7]}');
  };
  const [first, second] = [ask(), ask()];
  await until(() => asked().join() === '1,1');
  // Several times the resolution of a timer.
  await new Promise((resolve) => setTimeout(resolve, 30));
  answerOf(1, 0);
  assert.deepEqual(await second, Uint32Array.of(7));
  const third = ask();
  await until(() => asked().join() === '1,2');
  answerOf(0, 0);
  answerOf(1, 1);
  assert.deepEqual(await Promise.all([first, third]), [Uint32Array.of(7), Uint32Array.of(7)]);
});

test('an answer may have 32 MiB', async (t) => {
  let bytes = 32 * 1_048_576;
  const { ask } = await begin(t, [{}], {
    onRequest: ({ socket }) => respond(socket, 200, '{"tokens":[7]}'.padEnd(bytes)),
  });
  assert.deepEqual(await ask(), Uint32Array.of(7));
  bytes += 1;
  assert.equal(await ask(), undefined);
});
