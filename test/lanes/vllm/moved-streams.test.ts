// Streams of real vLLM that move: a connection is cut in mid-stream, and another attempt goes on. Both are served by one
// process, which the router knows under two addresses: what is sent and joined is the same as with two. The joined
// response must be the unbroken one. lane.sh sets VLLM_PYTHON.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningRouter, startRouter } from '../../../src/apps/router/index.ts';
import { createLogger } from '../../../src/io/log/index.ts';
import { freePorts } from '../../../src/io/processes/index.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { writeTinyModel } from './tiny-model.ts';

const python = process.env['VLLM_PYTHON'];
assert.ok(python, 'VLLM_PYTHON names the Python that has vLLM; run scripts/lane.sh vllm');

const directory = mkdtempSync(join(tmpdir(), 'spillway-vllm-moved-'));
const model = join(directory, 'tiny');
const template = join(directory, 'template.jinja');
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

/** Answers begin within the reasoning: random weights would never begin it. */
const templateText = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
{% endif %}`;

let engine: ChildProcess;
let url = '';
let cut: CuttingProxy;

before(async () => {
  writeTinyModel(model);
  writeFileSync(template, templateText);
  // Where the router's own tokenizer looks for it.
  writeFileSync(join(model, 'chat_template.jinja'), templateText);
  const [port] = await freePorts(1);
  url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    ...{ VLLM_CPU_KVCACHE_SPACE: '1', VLLM_CPU_OMP_THREADS_BIND: 'nobind' },
    ...{ VLLM_NO_USAGE_STATS: '1', HF_HUB_OFFLINE: '1' },
  };
  const flags = [
    ...['--model', model, '--served-model-name', 'tiny', '--port', `${port}`],
    ...['--dtype', 'bfloat16', '--max-model-len', '4096', '--load-format', 'dummy'],
    ...['--enforce-eager', '--reasoning-parser', 'qwen3', '--chat-template', template],
    '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}',
  ];
  const args = ['-m', 'vllm.entrypoints.openai.api_server', ...flags];
  engine = spawn(python, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  await untilHealthy();
  cut = await startCuttingProxy(url);
});

after(async () => {
  cut?.close();
  if (engine?.exitCode === null) {
    engine.kill('SIGTERM');
    await once(engine, 'exit');
  }
  rmSync(directory, { recursive: true, force: true });
});

async function untilHealthy(): Promise<void> {
  for (let i = 0; i < 1200; i++) {
    const isHealthy = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isHealthy) return;
    await sleep(500);
  }
  throw new Error(`${url} is not healthy after ten minutes`);
}

/** What a client reads of a stream: its texts, how it ends, and the counts of tokens. */
interface Reading {
  texts: Record<string, string>;
  ends: unknown[];
  usage: unknown;
  error: unknown;
}

async function read(from: string, path: string, body: object): Promise<Reading> {
  const response = await fetch(`${from}${path}`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ model: 'tiny', stream: true, ...body }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const reading: Reading = { texts: {}, ends: [], usage: undefined, error: undefined };
  const add = (name: string, part: unknown) => {
    if (typeof part !== 'string' || part === '') return;
    reading.texts[name] = (reading.texts[name] ?? '') + part;
  };
  for (const [, json = ''] of text.matchAll(/^data: (\{.*)$/gm)) {
    const data = JSON.parse(json);
    const choice = data.choices?.[0];
    if (data.error != null) reading.error = data.error;
    add('text', choice?.text);
    add('reasoning', choice?.delta?.reasoning);
    add('content', choice?.delta?.content);
    if (choice?.finish_reason) reading.ends.push(choice.finish_reason);
    if (data.choices?.length === 0) reading.usage = data.usage?.completion_tokens;
    if (data.type === 'content_block_delta') {
      for (const name of ['thinking', 'text', 'partial_json']) {
        add(`${data.index} ${name}`, data.delta[name]);
      }
    }
    if (data.type === 'message_delta') {
      reading.ends.push(data.delta.stop_reason);
      reading.usage = data.usage.output_tokens;
    }
    if (typeof data.delta === 'string') add(`${data.output_index} ${data.type}`, data.delta);
    if (data.type === 'response.completed') {
      reading.ends.push(data.response.status);
      reading.usage = data.response.usage.output_tokens;
      for (const item of data.response.output) {
        for (const part of item.content ?? []) add(`whole ${item.type}`, part.text);
      }
    }
  }
  return reading;
}

/** Streams that have moved; no other outcome may be counted. */
async function moves(router: RunningRouter): Promise<number> {
  const page = await (await fetch(`${router.url}/metrics`)).text();
  const pattern = /stream_migrations_total\{outcome="(\w+)",reason="(\w+)"\} (\S+)$/gm;
  let count = 0;
  for (const [line, outcome, , number] of page.matchAll(pattern)) {
    if (outcome === 'moved') count += Number(number);
    else assert.equal(Number(number), 0, line);
  }
  return count;
}

const messages = [{ role: 'user', content: 'Tell me about dams.' }];
const greedy = { temperature: 0, max_tokens: 48 };
const usage = { stream_options: { include_usage: true } };
const chat = { messages, ...greedy, ...usage };
const schema = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Paris'] }, dry: { type: 'boolean' } },
  required: ['city', 'dry'],
  additionalProperties: false,
};
const format = {
  response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } },
};
const completion = { prompt: 'Once upon a time', ...greedy, ...usage };

for (const [what, path, body, cuts] of [
  ['reasoning', '/v1/chat/completions', chat, [4, 20]],
  [
    'a budget of thinking tokens',
    '/v1/chat/completions',
    { ...chat, thinking_token_budget: 16 },
    [6, 14, 18, 30],
  ],
  [
    'a grammar after the reasoning',
    '/v1/chat/completions',
    { ...chat, thinking_token_budget: 16, ...format },
    [6, 14, 20],
  ],
  ['a repetition penalty', '/v1/completions', { ...completion, repetition_penalty: 1.8 }, [10, 30]],
  ['a presence penalty', '/v1/completions', { ...completion, presence_penalty: 1.5 }, [10]],
  ['a frequency penalty', '/v1/completions', { ...completion, frequency_penalty: 0.5 }, [10, 30]],
  ['stop strings', '/v1/completions', { ...completion, stop: ['zzzz'] }, [10]],
  [
    'a seed and a presence penalty',
    '/v1/completions',
    { ...completion, temperature: 1, seed: 7, presence_penalty: 1 },
    [10],
  ],
  ['a message', '/v1/messages', { messages, ...greedy }, [3, 10, 40]],
  [
    'a response',
    '/v1/responses',
    { input: 'Tell me about dams.', temperature: 0, max_output_tokens: 48 },
    [4, 10, 40],
  ],
  [
    'a seeded response',
    '/v1/responses',
    { input: 'Tell me about dams.', temperature: 1, seed: 7, max_output_tokens: 48 },
    [10],
  ],
] as const) {
  test(`a stream of vLLM that is cut goes on at another one: ${what}`, async (t) => {
    const unbroken = await read(url, path, body);
    assert.equal(unbroken.error, undefined);
    for (const events of cuts) {
      // A new one each time: a router ejects an engine whose streams are cut again and again.
      const router = await startRouter({
        ...{ port: 0, policy: 'roundrobin', log },
        engines: [cut.url, url].map((one) => ({ url: one, models: [] })),
      });
      await router.probed;
      // Some of the requests go to the address that is cut.
      for (let i = 0; i < 4 && (await moves(router)) === 0; i++) {
        cut.cutAfter = events;
        const joined = await read(router.url, path, body);
        cut.cutAfter = Number.POSITIVE_INFINITY;
        assert.deepEqual(joined, unbroken, `cut after ${events} events`);
      }
      const moved = await moves(router);
      await router.close(0);
      assert.equal(moved, 1, `cut after ${events} events`);
    }
    t.diagnostic(`${JSON.stringify(unbroken).slice(0, 300)}`);
  });
}

/** What a sampled stream must have in common with each other one of its request. */
const shapeOf = ({ texts, ends, usage: tokens, error }: Reading) => ({
  ...{ names: Object.keys(texts).toSorted(), ends, tokens, error },
});

for (const [what, path, body, cuts] of [
  ['a message', '/v1/messages', { messages, temperature: 1, max_tokens: 48 }, [3, 10, 40]],
  [
    'a response',
    '/v1/responses',
    { input: 'Tell me about dams.', temperature: 1, max_output_tokens: 48 },
    [4, 10, 40],
  ],
] as const) {
  test(`a sampled stream of vLLM that is cut goes on at another one, from its text: ${what}`, async (t) => {
    const unbroken = await read(url, path, body);
    for (const events of cuts) {
      const router = await startRouter({
        ...{ port: 0, policy: 'roundrobin', log, tokenizers: { standard: model } },
        engines: [cut.url, url].map((one) => ({ url: one, models: [] })),
      });
      await router.probed;
      // The router looks for the tokenizer, and compares with an engine how many tokens a prompt has.
      for (let i = 0; i < 100 && !(await hasTokenizer(router)); i++) {
        await read(router.url, path, { ...body, max_tokens: 1, max_output_tokens: 1 });
        await sleep(100);
      }
      await read(router.url, path, { ...body, max_tokens: 1, max_output_tokens: 1 });
      for (let i = 0; i < 4 && (await moves(router)) === 0; i++) {
        cut.cutAfter = events;
        const joined = await read(router.url, path, body);
        cut.cutAfter = Number.POSITIVE_INFINITY;
        assert.deepEqual(shapeOf(joined), shapeOf(unbroken), `cut after ${events} events`);
        const whole = joined.texts['whole reasoning'];
        const deltas = joined.texts['0 response.reasoning_text.delta'];
        assert.equal(whole, deltas);
      }
      const moved = await moves(router);
      await router.close(0);
      assert.equal(moved, 1, `cut after ${events} events`);
    }
    t.diagnostic(`${JSON.stringify(unbroken).slice(0, 300)}`);
  });
}

async function hasTokenizer(router: RunningRouter): Promise<boolean> {
  const page = await (await fetch(`${router.url}/metrics`)).text();
  return page.includes('spillway_router_tokenizer_ready{model="tiny"} 1');
}
