// The Rust router `vllm-router`, unmodified, with its policy kv_aware over two embedded engines:
// its picks must follow our KV events. It gets the token ids of a prompt from an engine (/render,
// hence --enable-scale-out) and looks up their blocks in an index that it builds from the events
// only.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Engine, type Program, startEngine, startProgram } from './programs.ts';

const model = 'Qwen/Qwen3-8B';
const blockSize = 16;
/** About 400 tokens, 25 blocks, for each word. */
const prefixOf = (word: string) => `${word} stone `.repeat(200);

let engines: readonly Engine[] = [];
let router: Program;

before(async () => {
  // Small enough that a test can fill it: 128 blocks are 2048 tokens.
  const flags = [
    ...[model, '--enable-scale-out', '--max-model-len', '1024'],
    ...['--block-size', String(blockSize), '--num-gpu-blocks-override', '128'],
  ];
  engines = await Promise.all([startEngine(flags), startEngine(flags)]);
  router = await startVllmRouter(engines);
});

test('kv_aware sends a prompt to the engine whose events announced its prefix, for either engine', async () => {
  for (const [word, holder] of [
    ['river', 1],
    ['gate', 0],
    ['flood', 1],
    ['sluice', 0],
  ] as const) {
    await complete(engines[holder]?.url, prefixOf(word));
    await pickedBy(word, holder);
  }
});

test('kv_aware no longer finds a prefix whose blocks the engine has evicted', async () => {
  await complete(engines[1]?.url, prefixOf('heron'));
  await pickedBy('heron', 1);
  // Seven other prompts of about 400 tokens overwrite all 128 blocks.
  for (const word of ['wind', 'rain', 'snow', 'hail', 'mist', 'frost', 'thaw']) {
    await complete(engines[1]?.url, prefixOf(word));
  }
  // The router has received the events of the last one, so those of all earlier ones, too.
  await pickedBy('thaw', 1);
  const { credited } = await askRouter(`${prefixOf('heron')} after the eviction`);
  assert.equal(credited, 0);
});

test('kv_aware no longer finds a prefix after the engine has reset its cache', async () => {
  await complete(engines[0]?.url, prefixOf('otter'));
  await pickedBy('otter', 0);
  const reset = await fetch(`${engines[0]?.url}/reset_prefix_cache`, { method: 'POST' });
  assert.equal(reset.status, 200);
  // As in vLLM, the event of a reset is sent with the next step of the engine.
  await complete(engines[0]?.url, prefixOf('beaver'));
  await pickedBy('beaver', 0);
  const { credited } = await askRouter(`${prefixOf('otter')} after the reset`);
  assert.equal(credited, 0);
});

test('chats, streams and errors pass through it unchanged', async () => {
  const ask = (body: object) => post(`${router.url}/v1/chat/completions`, body);
  const chat = {
    model,
    messages: [{ role: 'user', content: 'Tell me of the sea.' }],
    max_tokens: 9,
  };
  const whole = (await (await ask(chat)).json()) as Answer;
  assert.equal(whole.usage.completion_tokens, 9);
  const stream = await (await ask({ ...chat, stream: true })).text();
  const chunks = stream.split('\n\n').filter((event) => event.startsWith('data: {'));
  const text = chunks.map((chunk) => JSON.parse(chunk.slice(6)).choices[0].delta.content ?? '');
  assert.equal(text.join(''), whole.choices[0]?.message?.content);
  assert.ok(stream.endsWith('data: [DONE]\n\n'));
  const refused = await ask({ ...chat, temperature: -1 });
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /temperature/);
});

interface Answer {
  readonly usage: {
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly choices: readonly { readonly message?: { readonly content: string } }[];
}

/** Events take a few milliseconds from the engine's step to the router's index. */
const eventsArriveMs = 500;

/** Waits until the router sends prompts with this word's prefix to that engine. */
async function pickedBy(word: string, holder: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  // A prompt that the router gets before the events may go to the other engine, which then has it cached, too.
  await sleep(eventsArriveMs);
  // Each attempt has a different ending: only the prefix is shared, and only one engine has it.
  for (let attempt = 0; ; attempt++) {
    const { engine, credited } = await askRouter(`${prefixOf(word)} again ${attempt}`);
    if (credited >= 24 * blockSize) {
      assert.equal(engine, holder, `${word} goes to the engine that has it cached`);
      return;
    }
    assert.ok(performance.now() < deadline, `${word}: ${credited} tokens credited to ${engine}`);
  }
}

/** Sends a prompt through the router; returns what the router logs about its pick. */
async function askRouter(prompt: string): Promise<{ engine: number; credited: number }> {
  const decisions = () =>
    router.output().matchAll(/worker="([^"]+)".* credited_prefix_tokens=(\d+)/g);
  const seen = [...decisions()].length;
  const before = await Promise.all(engines.map(generatedTokens));
  await complete(router.url, prompt);
  const after = await Promise.all(engines.map(generatedTokens));
  const engine = engines.findIndex((_, i) => after[i] !== before[i]);
  const [, worker, credited] = [...decisions()].slice(seen).at(-1) ?? [];
  assert.equal(worker, engines[engine]?.url, 'the picked engine served the request');
  return { engine, credited: Number(credited) };
}

async function generatedTokens({ url }: Program): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(page.match(/^vllm:generation_tokens_total\{.*\} (\S+)$/m)?.[1]);
}

async function complete(url: string | undefined, prompt: string): Promise<Answer> {
  const response = await post(`${url}/v1/completions`, { model, prompt, max_tokens: 2 });
  assert.equal(response.status, 200);
  return (await response.json()) as Answer;
}

function post(url: string, body: object): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
}

function startVllmRouter(workers: readonly Engine[]): Promise<Program> {
  const executable = join(dirname(process.env['CLIENTS_PYTHON'] ?? ''), 'vllm-router');
  const sources = workers.flatMap(({ url, events, replay }) => [
    ...['--kv-event-source', `${url}=${events}`],
    ...['--kv-event-replay-source', `${url}=${replay}`],
  ]);
  return startProgram({
    name: 'vllm-router',
    readyPath: '/health',
    command: (port, metricsPort) => [
      ...[executable, '--port', String(port), '--prometheus-port', String(metricsPort)],
      ...['--log-level', 'debug'],
      ...['--worker-startup-check-interval', '1', '--policy', 'kv_aware', ...sources],
      ...['--kv-event-model', model, '--kv-event-block-size', String(blockSize)],
      ...['--worker-urls', ...workers.map(({ url }) => url)],
    ],
  });
}
