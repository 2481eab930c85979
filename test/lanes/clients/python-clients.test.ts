// The Python packages `openai`, `anthropic` and `litellm`, unmodified: against one embedded engine,
// and against the router before two of them. NAME_client.py contains the tests of each.
import { before, test } from 'node:test';
import { type Program, startEngine, startSpillwayRouter } from './programs.ts';
import { apiKey, model, runClient } from './run-client.ts';

let engines: readonly Program[] = [];
let router: Program;

before(async () => {
  const start = () => startEngine([model, '--api-key', apiKey]);
  engines = await Promise.all([start(), start()]);
  // The router has its own key for the engines, and requires another one from clients.
  router = await startSpillwayRouter(engines, {
    flags: ['--api-key', apiKey],
    environment: { VLLM_API_KEY: apiKey },
  });
});

for (const client of ['openai', 'anthropic', 'litellm']) {
  test(`${client} for Python works against an engine`, async () => {
    const engine = engines[0] as Program;
    await runClient(client, { url: engine.url, engineUrls: [engine.url] });
  });
  test(`${client} for Python works against the router before two engines`, async () => {
    await runClient(client, { url: router.url, engineUrls: engines.map(({ url }) => url) });
  });
}
