// The Rust router `sglang-router`, unmodified, over two embedded engines: it does not use vLLM's KV
// events, only its HTTP interface.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { type Engine, type Program, startEngine, startProgram } from './programs.ts';

const model = 'Qwen/Qwen3-8B';
const messages = [{ role: 'user' as const, content: 'Tell me of the sea.' }];

async function start(policy: string) {
  const engines = await Promise.all([startEngine([model]), startEngine([model])]);
  const router = await startSglangRouter(engines, policy);
  const client = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'none', maxRetries: 0 });
  return { engines, client };
}

test('round_robin gives both engines the same share of chats, whole and streamed', async () => {
  const { engines, client } = await start('round_robin');
  const ask = { model, messages, max_tokens: 20 };
  const whole = await client.chat.completions.create(ask);
  const texts = await Promise.all(
    Array.from({ length: 11 }, async () => {
      const stream = await client.chat.completions.create({ ...ask, stream: true });
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      return text;
    }),
  );
  // Two engines with the same seed: equal questions get equal responses.
  assert.deepEqual(new Set(texts), new Set([whole.choices[0]?.message.content]));
  assert.deepEqual(await Promise.all(engines.map(finishedRequests)), [6, 6]);
});

test('cache_aware keeps a conversation where its prefix is cached; round_robin does not', async () => {
  const cachedTurns = async (policy: string) => {
    const { client } = await start(policy);
    let cached = 0;
    for (const word of ['river', 'gate', 'heron']) {
      for (let turn = 0; turn < 3; turn++) {
        const prompt = `${`${word} and stone `.repeat(200)} turn ${turn}`;
        const { usage } = await client.completions.create({ model, prompt, max_tokens: 2 });
        if ((usage?.prompt_tokens_details?.cached_tokens ?? 0) > 500) cached++;
      }
    }
    return cached;
  };
  // The first turn of each of three conversations always misses; with round robin, so does the
  // second.
  assert.equal(await cachedTurns('cache_aware'), 6);
  assert.equal(await cachedTurns('round_robin'), 3);
});

test('killing an engine fails only its own streams; new requests go to the other one', async () => {
  const { engines, client } = await start('round_robin');
  const streams = await Promise.all(
    [0, 1].map(() =>
      client.completions.create({
        ...{ model, prompt: 'water', max_tokens: 200, stream: true },
        ...{ ignore_eos: true },
      }),
    ),
  );
  let killed: Promise<void> | undefined;
  const outcomes = await Promise.allSettled(
    streams.map(async (stream) => {
      let finish: string | null = null;
      for await (const chunk of stream) {
        killed ??= engines[0]?.stop('SIGKILL');
        finish = chunk.choices[0]?.finish_reason ?? finish;
      }
      return finish;
    }),
  );
  await killed;
  const whole = outcomes.filter(
    (outcome) => outcome.status === 'fulfilled' && outcome.value === 'length',
  );
  assert.equal(whole.length, 1, JSON.stringify(outcomes));
  for (let i = 0; i < 6; i++) {
    const answer = await client.chat.completions.create({ model, messages, max_tokens: 3 });
    assert.equal(answer.usage?.completion_tokens, 3);
  }
});

async function finishedRequests({ url }: Program): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const counts = page.matchAll(/^vllm:request_success_total\{.*\} (\S+)$/gm);
  return [...counts].reduce((total, [, value]) => total + Number(value), 0);
}

function startSglangRouter(workers: readonly Engine[], policy: string): Promise<Program> {
  const executable = join(dirname(process.env['CLIENTS_PYTHON'] ?? ''), 'sglang-router');
  return startProgram({
    name: 'sglang-router',
    readyPath: '/readiness',
    command: (port, metricsPort) => [
      ...[executable, 'launch', '--host', '127.0.0.1', '--port', String(port)],
      ...['--prometheus-port', String(metricsPort), '--worker-startup-check-interval', '1'],
      ...['--policy', policy, '--worker-urls', ...workers.map(({ url }) => url)],
    ],
  });
}
