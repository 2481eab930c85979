// The Python clients, unmodified, against `spillway up` with three engines; and the openai package with 64 requests at
// once, whose answers must be right and whose shares even.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { until } from '../../support/until.ts';
import { directory, startProgram } from './programs.ts';
import { apiKey, model, runClient } from './run-client.ts';

const values = {
  servingEngineSpec: {
    vllmApiKey: apiKey,
    configs: { VLLM_SERVER_DEV_MODE: '1', VLLM_ENABLE_RESPONSES_API_STORE: '1' },
    modelSpec: [
      {
        ...{ name: 'fleet', modelURL: model, replicaCount: 3 },
        ...{ enableTool: true, toolCallParser: 'hermes' },
        vllmConfig: {
          ...{ kvEvents: true, enablePrefixCaching: true },
          extraArgs: ['--enable-prompt-tokens-details'],
        },
      },
    ],
  },
  routerSpec: { routingLogic: 'predictive', apiKey },
};

let fleet: { readonly url: string; readonly engineUrls: readonly string[] };

before(async () => {
  const file = join(directory, 'fleet.yaml');
  writeFileSync(file, JSON.stringify(values));
  const { url } = await startProgram({
    ...{ name: 'up', readyPath: '/health' },
    command: (port) => [
      ...[process.execPath, 'bin/spillway.mjs', 'up', '-f', file, '--port', String(port)],
    ],
  });
  const headers = { authorization: `Bearer ${apiKey}` };
  await until(async () => {
    const response = await fetch(`${url}/engines`, { headers });
    const engines = (await response.json()) as { url: string; state: string }[];
    const live = engines.filter(({ state }) => state === 'live');
    fleet = { url, engineUrls: live.map((engine) => engine.url) };
    return live.length === 3;
  });
});

for (const client of ['openai', 'anthropic', 'litellm']) {
  test(`${client} for Python works against up with three engines`, () => runClient(client, fleet));
}

test('64 requests at once get the right answers, in even shares, and conversations stay where they are', async () => {
  await runClient('fleet', fleet, 4);
});
