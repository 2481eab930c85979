// Runs the tests of a Python client, NAME_client.py, against a server.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const python = process.env['CLIENTS_PYTHON'];
assert.ok(python, 'CLIENTS_PYTHON names the Python with the clients; run scripts/lane.sh clients');

export const model = 'Qwen/Qwen3-8B';
export const apiKey = 'key-of-the-lane';

/** @param target Where the client sends its requests, and the engines behind it. */
export async function runClient(
  client: string,
  target: { readonly url: string; readonly engineUrls: readonly string[] },
  testsMin = 6,
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
        CLIENTS_ENGINE_URLS: target.engineUrls.join(','),
      },
    },
  );
  // unittest reports on standard error, including failures.
  const { stderr } = await run.catch((error: { stderr: string }) => {
    throw new Error(`${client} failed:\n${error.stderr}`);
  });
  const [, count] = stderr.match(/Ran (\d+) tests/) ?? [];
  assert.ok(Number(count) >= testsMin, stderr);
}
