// The commands that the chart renders start: a router finds an embedded engine by the API, and a completion is served.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { admissionSettings, routerTimeouts } from '../../../src/core/attempts/index.ts';
import { policyNames, policyParameters } from '../../../src/core/routing/index.ts';
import { scriptedApiServer } from '../../support/scripted-api-server.ts';
import { until } from '../../support/until.ts';
import { type Manifest, objects, one } from './helm.ts';

const main = join(import.meta.dirname, '..', '..', '..', 'bin', 'spillway.mjs');

const containerOf = (all: readonly Manifest[], ending: string) =>
  one(all, 'Deployment', ending)['spec'].template.spec.containers[0];

test('a router and an engine with the arguments of the chart serve a completion', async (t) => {
  const [enginePort, routerPort] = [await freePort(), await freePort()];
  const all = await objects({
    servingEngineSpec: {
      containerPort: enginePort,
      modelSpec: [
        {
          ...{ name: 'e', kind: 'embedded', modelURL: 'Qwen/Qwen3-8B', gpu: 'H100-80GB' },
          timeScale: 100,
          vllmConfig: { maxModelLen: 16_384, enablePrefixCaching: true, seed: 7 },
        },
      ],
    },
    routerSpec: { containerPort: routerPort, routingLogic: 'predictive' },
  });
  const { command } = containerOf(all, '-e-deployment-vllm');
  const router = containerOf(all, '-deployment-router');
  const api = await scriptedApiServer(t);
  api.putPod('e-1', { ip: '127.0.0.1', namespace: 'default', labels: labelsOf(all) });
  start(t, command);
  const output = start(t, [...router.command, ...router.args], await kubeconfigOf(t, api.url));
  await until(() => /is live/.test(output()));
  const response = await fetch(`http://127.0.0.1:${routerPort}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'Qwen/Qwen3-8B', prompt: 'Hello', max_tokens: 4 }),
  });
  assert.equal(response.status, 200, output());
  const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
  assert.equal(usage.completion_tokens, 4);
});

/** Every key of the router that is a flag, unlike its default. */
const everySetting = {
  ...Object.fromEntries(
    policyParameters.map(({ valuesKey, min, max }) => [valuesKey, max ?? min + 1]),
  ),
  timeouts: Object.fromEntries(routerTimeouts.map(({ key }) => [key, 33])),
  admission: Object.fromEntries(admissionSettings.map(({ key }) => [key, 3])),
  ...{ migration: false, slowStart: 3, engineTokenizeTimeout: 1, drainDelay: 2 },
  ...{ pickHeader: true, cacheSaltFrom: 'header:x-team' },
  ...{
    tokenizer: ['none'],
    routerPeers: ['http://127.0.0.1:9'],
    rootPath: '/api',
    sessionKey: 'x-id',
  },
};

for (const routingLogic of policyNames) {
  test(`the router starts with every setting of the chart and ${routingLogic}`, async (t) => {
    const all = await objects({
      routerSpec: {
        ...everySetting,
        ...{ routingLogic, containerPort: await freePort(), serviceDiscovery: 'static' },
        ...{ staticBackends: 'http://127.0.0.1:9', staticModels: 'm' },
      },
      spillway: { dashboard: false },
    });
    const { command, args } = containerOf(all, '-deployment-router');
    const output = start(t, [...command, ...args]);
    await until(() => /router: http:/.test(output()));
  });
}

function labelsOf(all: readonly Manifest[]): Record<string, string> {
  return one(all, 'Deployment', '-e-deployment-vllm')['spec'].template.metadata.labels;
}

/** Starts the command of a container; returns what it has printed so far. */
function start(t: TestContext, command: readonly string[], kubeconfig = ''): () => string {
  assert.equal(command[0], 'spillway');
  const { KUBERNETES_SERVICE_HOST: _, ...environment } = process.env;
  const child = spawn(process.execPath, [main, ...command.slice(1)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, KUBECONFIG: kubeconfig },
  });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  }
  return () => {
    assert.equal(child.exitCode, null, printed);
    return printed;
  };
}

async function kubeconfigOf(t: TestContext, server: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-cluster-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'config');
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
