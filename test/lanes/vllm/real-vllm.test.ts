// Two real vLLM servers on the CPU behind `spillway up`: the view of a client, a scraper and a user
// who kills an engine. lane.sh installs vLLM and sets VLLM_PYTHON to its Python.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { freePorts } from '../../../src/io/processes/index.ts';
import { writeTinyModel } from './tiny-model.ts';

const python = process.env['VLLM_PYTHON'];
assert.ok(python, 'VLLM_PYTHON names the Python that has vLLM; run scripts/lane.sh vllm');

const directory = mkdtempSync(join(tmpdir(), 'spillway-vllm-'));
const model = join(directory, 'tiny');
const valuesFile = join(directory, 'values.yaml');

interface EngineView {
  readonly url: string;
  readonly state: string;
  readonly load: { readonly inflight: number };
  readonly reported: { readonly running: number; readonly generationTokens: number } | null;
}

/** One line of `spillway up --json`. */
interface UpEvent {
  readonly event: string;
  readonly url?: string;
  readonly pid?: number;
}

let up: ChildProcess;
let client: OpenAI;
let routerUrl = '';
/** Maps the URL of each child of `up` to its process id. */
const pids = new Map<string, number>();

before(async () => {
  writeTinyModel(model);
  writeFileSync(
    valuesFile,
    `servingEngineSpec:
  modelSpec:
    - name: tiny
      kind: vllm
      modelURL: ${model}
      replicaCount: 2
      enableTool: true
      toolCallParser: hermes
      env:
        - {name: VLLM_CPU_KVCACHE_SPACE, value: "1"}
        - {name: VLLM_CPU_OMP_THREADS_BIND, value: nobind}
        - {name: VLLM_NO_USAGE_STATS, value: "1"}
        - {name: HF_HUB_OFFLINE, value: "1"}
      vllmConfig:
        dtype: bfloat16
        maxModelLen: 8192
        enablePrefixCaching: true
        kvEvents: true
        extraArgs:
          - --served-model-name=tiny
          - --load-format=dummy
          - --enforce-eager
          - --enable-prompt-tokens-details
          # Random weights like white space: without this a forced call never ends.
          - '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}'
routerSpec:
  routingLogic: kvaware
spillway:
  vllmCommand: [${python}, -m, vllm.entrypoints.openai.api_server]
`,
  );
  const [port] = await freePorts(1);
  const flags = ['bin/spillway.mjs', 'up', '-f', valuesFile, '--port', String(port), '--json'];
  up = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  routerUrl = await new Promise<string>((resolve, reject) => {
    up.once('exit', (code) => reject(new Error(`spillway up ended with ${code}`)));
    createInterface({ input: up.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const event = JSON.parse(line) as UpEvent;
      if (event.event === 'process' && event.url && event.pid) pids.set(event.url, event.pid);
      if (event.event === 'ready' && event.url) resolve(event.url.replace(/\/v1$/, ''));
    });
  });
  client = new OpenAI({ baseURL: `${routerUrl}/v1`, apiKey: 'none', maxRetries: 0 });
});

after(async () => {
  up.kill('SIGTERM');
  if (up.exitCode === null) await new Promise((resolve) => up.once('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
});

const messages = [{ role: 'user' as const, content: 'Tell me about dams.' }];

test('returns a chat completion with the usage counted by vLLM', async () => {
  const answer = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 8 });
  assert.equal(answer.usage?.completion_tokens, 8);
  assert.ok((answer.usage?.prompt_tokens ?? 0) > 5);
});

test('streams token by token and ends with the usage', async () => {
  const stream = await client.chat.completions.create({
    ...{ model: 'tiny', messages, max_tokens: 16, stream: true },
    stream_options: { include_usage: true },
  });
  let chunks = 0;
  let tokens = 0;
  for await (const chunk of stream) {
    chunks++;
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  assert.equal(tokens, 16);
  assert.ok(chunks > 8, `${chunks} chunks`);
});

test('a named tool is called with arguments that parse', async () => {
  // Random weights produce noise. The bias makes them choose, among the tokens that the schema
  // allows, those of {"city": "Paris"}.
  const tokens = [4913, 8926, 788, 330, 59604, 95642, 9207, 92, 532, 151658];
  const answer = await client.chat.completions.create({
    ...{ model: 'tiny', messages, max_tokens: 64, temperature: 0 },
    logit_bias: { ...Object.fromEntries(tokens.map((token) => [token, 50])), 151645: 100 },
    tools: [
      {
        type: 'function',
        function: {
          ...{ name: 'get_weather', strict: true },
          parameters: {
            type: 'object',
            properties: { city: { type: 'string', enum: ['Paris'] } },
            required: ['city'],
            additionalProperties: false,
          },
        },
      },
    ],
    tool_choice: { type: 'function', function: { name: 'get_weather' } },
  });
  const call = answer.choices[0]?.message.tool_calls?.[0];
  assert.ok(call?.type === 'function', JSON.stringify(answer.choices[0]));
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
});

test('relays an error of vLLM unchanged', async () => {
  const refused = client.chat.completions.create({ model: 'tiny', messages, max_tokens: 100_000 });
  await assert.rejects(refused, (error: InstanceType<typeof OpenAI.APIError>) => {
    assert.equal(error.status, 400);
    assert.match(error.message, /max_tokens/);
    return true;
  });
});

test('a client disconnect ends the request in vLLM', async () => {
  const stream = await client.completions.create({
    ...{ model: 'tiny', prompt: 'water', max_tokens: 4000, stream: true },
    ...{ ignore_eos: true },
  });
  for await (const _ of stream) break;
  stream.controller.abort();
  await eventually(async () => {
    const engines = await engineViews();
    return engines.every(({ load, reported }) => load.inflight === 0 && reported?.running === 0);
  }, 'no request runs on any engine');
});

test('a prompt goes to the engine whose KV events contain its prefix', async () => {
  const engines = await engineViews();
  // Six blocks of 128 tokens, vLLM's block size on a CPU. The prompts are sent directly to the
  // engines, so the router can know them only from KV events.
  const prefixes = ['river', 'stone', 'gate', 'flood'].map((word) => `${word} `.repeat(800));
  for (const [i, prefix] of prefixes.entries()) {
    const direct = new OpenAI({ baseURL: `${engines[i % 2]?.url}/v1`, apiKey: 'none' });
    await direct.completions.create({ model: 'tiny', prompt: `${prefix}first`, max_tokens: 2 });
  }
  for (const [i, prefix] of prefixes.entries()) {
    await eventually(
      async () => {
        const { data, response } = await client.completions
          .create({ model: 'tiny', prompt: `${prefix}again ${Math.random()}`, max_tokens: 1 })
          .withResponse();
        const cached = data.usage?.prompt_tokens_details?.cached_tokens ?? 0;
        return response.headers.get('x-spillway-engine') === engines[i % 2]?.url && cached >= 768;
      },
      `prompt ${i} hits the cache of engine ${i % 2}`,
    );
  }
});

test('the router scrapes the engines’ gauges', async () => {
  await eventually(async () => {
    const engines = await engineViews();
    return engines.every(({ reported }) => (reported?.generationTokens ?? 0) > 0);
  }, 'both engines report generated tokens');
});

test('a stream whose engine is killed goes on at the other one, and the engine is restarted', async () => {
  // At temperature 0 both engines sample the same tokens; the penalty makes them differ from each other.
  const request = {
    ...{ model: 'tiny', prompt: 'doomed', max_tokens: 400, temperature: 0, ignore_eos: true },
    repetition_penalty: 1.8,
  };
  const unbroken = await client.completions.create(request);
  const stream = await client.completions.create({ ...request, stream: true });
  const busy = await eventually(async () => {
    return (await engineViews()).find(({ load }) => load.inflight > 0);
  }, 'an engine is busy');
  const moved = (async () => {
    let text = '';
    for await (const { choices } of stream) text += choices[0]?.text ?? '';
    return text;
  })();
  const pid = pids.get(busy.url);
  assert.ok(pid, `the process behind ${busy.url} is known`);
  process.kill(pid, 'SIGKILL');
  assert.equal(await moved, unbroken.choices[0]?.text);

  for (let i = 0; i < 6; i++) {
    const answer = await client.chat.completions.create({ model: 'tiny', messages, max_tokens: 2 });
    assert.equal(answer.usage?.completion_tokens, 2, 'the other engine continues to serve');
  }
  await eventually(
    async () => (await engineViews()).every(({ state }) => state === 'live'),
    'the killed engine is back',
    240_000,
  );
});

async function engineViews(): Promise<EngineView[]> {
  return (await (await fetch(`${routerUrl}/engines`)).json()) as EngineView[];
}

async function eventually<T>(
  condition: () => Promise<T>,
  what: string,
  timeoutMs = 20_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`Timed out waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
