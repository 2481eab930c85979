// The spans of a stack in a real OpenTelemetry Collector: router, embedded engines, and a real vLLM where it is installed.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { UpProcess } from '../../support/up-process.ts';
import { writeTinyModel } from '../vllm/tiny-model.ts';
import { Collector } from './collector.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-traces-'));
const clientTrace = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${clientTrace}-b7ad6b7169203331-01`;
const python = process.env['VLLM_PYTHON'];
let collector: Collector;

before(async () => {
  collector = await Collector.start(directory);
});

after(() => {
  collector.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function chat(url: string, model: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      ...{ model, max_tokens: 4, stream: true, stream_options: { include_usage: true } },
      messages: [{ role: 'user', content: 'Say a secret' }],
    }),
  });
  assert.equal(response.status, 200);
  await response.text();
}

test('a collector has one trace of client, router and engine, and the traces of errors', async () => {
  const values = join(directory, 'embedded.yaml');
  writeFileSync(
    values,
    `servingEngineSpec:
  modelSpec:
    - { name: e, kind: embedded, modelURL: Qwen/Qwen3-8B, replicaCount: 2 }
routerSpec:
  otel: { endpoint: '${collector.grpc}', serviceName: my-router }
`,
  );
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.http };
  const up = await UpProcess.start(['-f', values, '--json'], { env });
  try {
    await up.ready();
    await chat(up.url, 'Qwen/Qwen3-8B', { traceparent });
    const wrong = await fetch(`${up.url}/v1/completions`, { method: 'POST', body: '{}' });
    assert.equal(wrong.status, 400);
    const spans = await collector.spans(
      (all) =>
        all.filter(({ traceId }) => traceId === clientTrace).length >= 3 &&
        all.some(({ attributes }) => attributes.get('spillway.kept_for') === 'error'),
    );
    const ours = spans.filter(({ traceId }) => traceId === clientTrace);
    const server = ours.find(({ name }) => name === 'POST /v1/chat/completions');
    const client = ours.find(({ kind }) => kind === 'Client');
    const engine = ours.find(({ name }) => name === 'llm_request');
    assert.ok(server && client && engine);
    assert.equal(server.parentId, 'b7ad6b7169203331');
    assert.equal(client.parentId, server.id);
    assert.equal(engine.parentId, client.id);
    assert.deepEqual([server.service, engine.service], ['my-router', 'vllm']);
    assert.equal(server.events, 1);
    assert.equal(client.attributes.get('gen_ai.usage.output_tokens'), '4');
    assert.equal(engine.attributes.get('gen_ai.usage.completion_tokens'), '4');
    assert.ok(!JSON.stringify(spans.map(({ attributes }) => [...attributes])).includes('secret'));
  } finally {
    await up.end('SIGKILL');
  }
});

const skip = python === undefined && (process.env['VLLM_MISSING'] ?? 'no real vLLM');
test('a real vLLM continues the trace of the router', { skip }, async () => {
  const model = join(directory, 'tiny');
  writeTinyModel(model);
  const values = join(directory, 'vllm.yaml');
  const env = [
    ['VLLM_CPU_KVCACHE_SPACE', '1'],
    ['VLLM_CPU_OMP_THREADS_BIND', 'nobind'],
    ['VLLM_NO_USAGE_STATS', '1'],
    ['HF_HUB_OFFLINE', '1'],
    ['OTEL_SERVICE_NAME', 'real-vllm'],
    ['OTEL_EXPORTER_OTLP_TRACES_INSECURE', 'true'],
  ].map(([name, value]) => ({ name, value }));
  const entry = {
    ...{ name: 'tiny', kind: 'vllm', modelURL: model, replicaCount: 1, env },
    vllmConfig: {
      ...{ dtype: 'bfloat16', maxModelLen: 2048 },
      extraArgs: [
        ...['--served-model-name=tiny', '--load-format=dummy', '--enforce-eager'],
        `--otlp-traces-endpoint=http://${collector.grpc}`,
      ],
    },
  };
  writeFileSync(
    values,
    JSON.stringify({
      servingEngineSpec: { modelSpec: [entry] },
      routerSpec: { otel: { endpoint: collector.grpc } },
      spillway: { vllmCommand: [python, '-m', 'vllm.entrypoints.openai.api_server'] },
    }),
  );
  // The imports of vLLM take minutes on a busy machine.
  const up = await UpProcess.start(['-f', values, '--json'], { waitMs: 500_000 });
  try {
    await up.ready();
    const trace = '1'.repeat(32);
    await chat(up.url, 'tiny', { traceparent: `00-${trace}-b7ad6b7169203331-01` });
    const spans = await collector.spans(
      (all) => all.filter(({ traceId }) => traceId === trace).length >= 3,
    );
    const ours = spans.filter(({ traceId }) => traceId === trace);
    const inner = ours.find(({ service }) => service === 'real-vllm');
    const client = ours.find(({ kind }) => kind === 'Client');
    assert.ok(inner && client, JSON.stringify(ours.map(({ name, service }) => [service, name])));
    assert.equal(inner.parentId, client.id);
    assert.equal(inner.attributes.get('gen_ai.usage.completion_tokens'), '4');
  } finally {
    await up.end('SIGKILL');
  }
});
