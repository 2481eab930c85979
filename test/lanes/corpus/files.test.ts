// Files as people have them (files/): values files, traces, datasets, results and LMCache's configurations. Each is read, or answered
// with one sentence that says what to do.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const folder = join(import.meta.dirname, 'files');
const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'spillway.mjs');

interface Ended {
  readonly status: number;
  readonly text: string;
}

/** Runs a command in the folder of the files. A program that serves is ended after its first lines. */
function spillway(line: string, environment: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...line.split(' ')],
      { cwd: folder, timeout: 120_000, env: { ...process.env, ...environment } },
      (error, out, text) =>
        resolve({
          status: error === null ? 0 : Number(error.code ?? 1),
          text: `${text}${out}`,
        }),
    );
    child.stdout?.on('data', (text: string) => {
      if (/^ready: /m.test(text)) child.kill('SIGTERM');
    });
  });
}

const validated: readonly [file: string, status: number, says: RegExp][] = [
  ['values-bare-ignored-keys.yaml', 0, /imagePullPolicy.*Use servingEngineSpec\.imagePullPolicy/],
  ['values-duplicate-key.yaml', 0, /is set on line 5 and again on line 6; the last one counts/],
  ['values-extra-args-number.yaml', 0, /^valid$/m],
  ['values-max-unavailable.yaml', 0, /^valid$/m],
  ['values-model-on-volume.yaml', 2, /nearest models are TinyLlama\/.*: emulate it/],
  ['values-quoted-numbers.yaml', 0, /maxModelLen \(1048576\) must not be above the 40960 tokens/],
  ['values-umbrella.yaml', 2, /a chart that contains this one.*--subchart vllm/],
  [
    'router-extra-args.yaml',
    0,
    /:17:7: .*--static-model-types has no effect.*\n.*--sentry-dsn has no effect/,
  ],
  ['old-image-kv-connector.yaml', 0, /image's tag v0\.10\.2 has SharedStorageConnector/],
  ['pp-without-ray.yaml', 0, /^valid$/m],
  ['litellm.yaml', 2, /this is a configuration of LiteLLM, not a values file/],
];

for (const [file, status, says] of validated) {
  test(`config validate: ${file}`, async () => {
    const ended = await spillway(`config validate -f ${file}`);
    assert.match(ended.text, says);
    assert.equal(ended.status, status, ended.text);
  });
}

const simulated: readonly [file: string, status: number, says: RegExp][] = [
  ['trace-bailian-seconds-16.jsonl', 0, /read as seconds.*40 requests over 195\.0 s/],
  ['burstgpt.csv', 0, /^3 requests in /m],
  ['burstgpt2.csv', 0, /^2 requests in /m],
  ['dynamo_trace.jsonl', 2, /dynamo_trace\.jsonl:2: .*a delay instead of a timestamp.*expected/],
  ['infperf_trace.csv', 2, /found the fields timestamp, prompt_tokens.*expected/],
  ['wildchat.jsonl', 2, /found the fields conversation_hash.*expected/],
];

for (const [file, status, says] of simulated) {
  test(`simulate --trace: ${file}`, async () => {
    const ended = await spillway(`simulate --trace ${file} --engines 1`);
    assert.match(ended.text, says);
    assert.equal(ended.status, status, ended.text);
  });
}

const configured: readonly [file: string, status: number, says: RegExp][] = [
  ['lmcache-size-in-bytes.yaml', 2, /it is in GB: 10,737,418,240 GB.*write 10/],
  ['lmcache-unknown-keys.yaml', 0, /max_local_cpu_sise.*did you mean max_local_cpu_size\?/],
  ['lmcache-s3.yaml', 2, /use lm:\/\/HOST:PORT or redis:\/\/HOST:PORT of "spillway cache"/],
  ['lmcache-mooncake.yaml', 2, /use lm:\/\/HOST:PORT or redis:\/\/HOST:PORT of "spillway cache"/],
];

const connector = '{"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}';

for (const [file, status, says] of configured) {
  test(`LMCACHE_CONFIG_FILE: ${file}`, async () => {
    const ended = await spillway(
      `engine Qwen/Qwen3-8B --port 0 --kv-transfer-config ${connector}`,
      { LMCACHE_CONFIG_FILE: file },
    );
    assert.match(ended.text, says);
    assert.equal(ended.status, status, ended.text);
  });
}

test('compare reads two results of vllm bench serve, and says what summaries do not tell', async () => {
  const ended = await spillway('compare vllm-bench-A.json vllm-bench-B.json');
  assert.match(ended.text, /^Not enough data: the files have only summaries/);
  assert.match(ended.text, /^TTFT mean +100\.00 +130\.00 +1\.300$/m);
});

test('a dataset of texts is read by bench serve, whatever names its keys', async (t) => {
  const port = await servedModel(t);
  for (const [file, dataset, requests] of [
    ['vllm_custom.jsonl', 'custom', 2],
    ['openai_messages.jsonl', 'custom', 2],
    ['sharegpt_role.json', 'sharegpt', 1],
    ['burstgpt.csv', 'burstgpt', 3],
  ] as const) {
    const ended = await spillway(
      `bench serve --base-url http://127.0.0.1:${port} --dataset-name ${dataset} --dataset-path ${file} --num-prompts ${requests}`,
    );
    assert.equal(ended.status, 0, `${file}: ${ended.text}`);
    assert.match(
      ended.text,
      new RegExp(`^${requests} of ${requests} requests? completed`, 'm'),
      file,
    );
  }
});

/** Starts an embedded engine. @returns Its port. */
function servedModel(t: { after(work: () => void): void }): Promise<number> {
  const child = execFile(process.execPath, [
    ...[program, 'engine', 'Qwen/Qwen3-8B', '--port', '0', '--time-scale', '100'],
  ]);
  t.after(() => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.stdout?.on('data', (text: string) => {
      const port = /^ready: http:\/\/[\d.]+:(\d+)\//m.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
  });
}
