// `spillway router` as a process: its signals.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { startScriptedEngine } from '../support/scripted-engine.ts';

const main = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

test('the first Ctrl-C lets a request under way finish, the second ends at once', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  const router = spawn(
    process.execPath,
    [main, 'router', '--port', '0', '--static-backends', engine.url, '--log-level', 'info'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(async () => {
    router.kill('SIGKILL');
    await engine.close();
  });
  let output = '';
  const said = async (pattern: RegExp) => {
    while (!pattern.test(output)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(router.exitCode, null, output);
    }
    return pattern.exec(output) as RegExpExecArray;
  };
  for (const stream of [router.stdout, router.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [, url] = await said(/router: (http:\S+)/);
  await said(/is live/);
  const answer = fetch(`${url}/v1/completions`, {
    method: 'POST',
    body: '{"model":"m","prompt":"Hi"}',
  }).then(
    () => 'answered',
    () => 'cut',
  );
  while (engine.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const exited = once(router, 'exit');
  router.kill('SIGINT');
  await said(/finishing the requests under way/);
  assert.equal(engine.sockets.size > 0, true, 'the request is still under way');
  router.kill('SIGINT');
  assert.deepEqual(await exited, [130, null]);
  assert.equal(await answer, 'cut');
});
