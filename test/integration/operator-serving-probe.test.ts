// The programs that Kubernetes runs in an engine's pod until it has started, as the operator writes them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { specs } from '../../src/core/operator/resources.ts';
import { probeCommand } from '../../src/core/operator/serving-probe.ts';
import { freePorts } from '../../src/io/processes/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { listening } from '../support/listening.ts';

const kinds = ['vllm', 'embedded'] as const;
type Kind = (typeof kinds)[number];
const hasPython = await new Promise<boolean>((resolve) => {
  execFile('python3', ['--version'], (error) => resolve(error === null));
});

for (const kind of kinds) {
  const skip = kind === 'vllm' && !hasPython && 'there is no python3';
  const where = kind === 'vllm' ? 'in vLLM’s image' : 'in Spillway’s image';

  test(`${where}, an engine has started when it completes a prompt`, { skip }, async (t) => {
    const engine = await createEngineServer({
      ...{ host: '127.0.0.1', port: 0, model: 'm', tokenizer: await loadTokenizer() },
      config: defaultEngineConfig({ maxModelLen: 1024, numGpuBlocks: 200, blockSize: 16 }),
      cost: { stepSeconds: () => 0.001 },
    });
    t.after(() => engine.close());
    assert.equal(await probe(kind, Number(new URL(engine.url).port)), 0);
  });

  test(`${where}, an engine has not started while nothing listens`, { skip }, async () => {
    const [port = 0] = await freePorts(1);
    assert.notEqual(await probe(kind, port), 0);
  });

  test(`${where}, an engine that is healthy and fails every completion has not started`, {
    skip,
  }, async (t) => {
    const port = await scripted(t, { '/v1/completions': [500, {}] });
    assert.notEqual(await probe(kind, port), 0);
    const empty = await scripted(t, { '/v1/completions': [200, { choices: [] }] });
    assert.notEqual(await probe(kind, empty), 0);
  });

  test(`${where}, an engine of embeddings has started when it embeds a text`, {
    skip,
  }, async (t) => {
    const port = await scripted(t, { '/v1/embeddings': [200, { data: [{}] }] });
    assert.equal(await probe(kind, port), 0);
    const broken = await scripted(t, { '/v1/embeddings': [500, {}] });
    assert.notEqual(await probe(kind, broken), 0);
    const neither = await scripted(t, {});
    assert.equal(await probe(kind, neither), 0, 'an engine that has neither API');
  });

  test(`${where}, the key of the command line, or of the environment, is sent`, {
    skip,
  }, async (t) => {
    const keys: (string | undefined)[] = [];
    const responses = { '/v1/completions': [200, { choices: [{ index: 0 }] }] } as const;
    const port = await scripted(t, responses, ({ headers }) => {
      keys.push(headers.authorization);
    });
    assert.equal(await probe(kind, port, { extraArgs: ['--api-key', 'sk-"a'] }), 0);
    assert.equal(await probe(kind, port, { key: 'sk-b' }), 0);
    assert.equal(await probe(kind, port), 0);
    assert.deepEqual(keys, [
      ...['Bearer sk-"a', 'Bearer sk-"a', 'Bearer sk-b', 'Bearer sk-b', undefined, undefined],
    ]);
  });
}

/** @returns The exit status of the probe of an engine at a port. */
function probe(
  engineKind: Kind,
  port: number,
  { extraArgs = [], key }: { readonly extraArgs?: readonly string[]; readonly key?: string } = {},
): Promise<number> {
  const spec = specs.VLLMRuntime.parse({
    ...{ engineKind, model: { modelURL: 'm' }, vllmConfig: { port, extraArgs } },
    deploymentConfig: { resources: {}, image: { registry: '', name: 'vllm/vllm-openai:v1' } },
  });
  const [program = '', ...args] = probeCommand(spec);
  const { VLLM_API_KEY: _, ...rest } = process.env;
  // The Node of the tests, as the image has one.
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
  const env = { ...rest, PATH: path, ...(key && { VLLM_API_KEY: key }) };
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000, env }, (error) => {
      resolve(error === null ? 0 : Number(error.code ?? 1));
    });
  });
}

type Responses = Readonly<Record<string, readonly [number, object]>>;

/** A server with one model, and status 404 for what has no response. @returns Its port. */
async function scripted(
  t: TestContext,
  responses: Responses,
  onRequest: (request: IncomingMessage) => void = () => {},
): Promise<number> {
  const all: Responses = { '/v1/models': [200, { data: [{ id: 'm' }] }], ...responses };
  const url = await listening(t, (request, response) => {
    onRequest(request);
    const [status, body] = all[request.url ?? ''] ?? [404, {}];
    request.resume();
    response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body));
  });
  return Number(new URL(url).port);
}
