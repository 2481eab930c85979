// The Python packages `openai`, `anthropic` and `litellm`, unmodified: against one embedded engine,
// and against the router before two of them. NAME_client.py contains the tests of each.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Program, startEngine, startSpillwayRouter } from './programs.ts';

const python = process.env['CLIENTS_PYTHON'];
assert.ok(python, 'CLIENTS_PYTHON names the Python with the clients; run scripts/lane.sh clients');

const model = 'Qwen/Qwen3-8B';
const apiKey = 'key-of-the-lane';

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
    await runClient(client, { url: engine.url, engines: [engine] });
  });
  test(`${client} for Python works against the router before two engines`, async () => {
    await runClient(client, { url: router.url, engines });
  });
}

async function runClient(
  client: string,
  target: { readonly url: string; readonly engines: readonly Program[] },
): Promise<void> {
  const run = promisify(execFile)(
    python as string,
    ['-B', '-W', 'ignore', '-m', 'unittest', '-v', `${client}_client`],
    {
      cwd: import.meta.dirname,
      timeout: 180_000,
      env: {
        ...process.env,
        ...{ CLIENTS_URL: target.url, CLIENTS_API_KEY: apiKey, CLIENTS_MODEL: model },
        CLIENTS_ENGINE_URLS: target.engines.map(({ url }) => url).join(','),
      },
    },
  );
  // unittest reports on standard error, including failures.
  const { stderr } = await run.catch((error: { stderr: string }) => {
    throw new Error(`${client} failed:\n${error.stderr}`);
  });
  const [, count] = stderr.match(/Ran (\d+) tests/) ?? [];
  assert.ok(Number(count) > 5, stderr);
}
