// `spillway claims` as a user runs it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';

function claims(...args: readonly string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const command = ['bin/spillway.mjs', 'claims', ...args];
    execFile(process.execPath, command, { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

test('the loads are simulated, and sharing gains where prompts are repeated', async () => {
  const { status, stdout, stderr } = await claims('--seeds', '1', '--json');
  assert.equal(status, 0, stderr);
  const { by, claims: rows, runs } = JSON.parse(stdout);
  assert.equal(by, 'simulator');
  assert.equal(runs.length, 4);
  assert.ok(runs.every(({ failed }: { failed: number }) => failed === 0));
  const conversations = rows.find(
    (row: Record<string, unknown>) =>
      row['shape'] === 'multi-round-qa' && row['measure'] === 'ttftMs',
  );
  assert.ok(conversations.gain > 1.5, stdout);
  assert.deepEqual([conversations.claimed, conversations.interval], [[3, 10], null]);
});

test('two servers instead of the simulator get both loads, in other words', async (t) => {
  const servers = await Promise.all([1, 20].map((gapMs) => scriptedOpenai({ gapMs })));
  t.after(() => Promise.all(servers.map((server) => server.close())));
  const [shared, plain] = servers;
  const { status, stdout, stderr } = await claims(
    ...['--with', shared?.url ?? '', '--without', plain?.url ?? '', '--requests', '3', '--json'],
  );
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout);
  assert.deepEqual([result.by, result.with], ['servers', shared?.url]);
  const e2e = result.claims.filter((row: { measure: string }) => row.measure === 'e2eMs');
  assert.ok(e2e.length > 0 && e2e.every(({ gain }: { gain: number }) => gain > 2), stdout);
  const prompts = servers.flatMap(({ requests }) => requests.map(({ prompt }) => String(prompt)));
  // Three of each load, and one to warm up for each.
  assert.deepEqual(
    servers.map(({ requests }) => requests.length),
    [8, 8],
  );
  assert.ok(new Set(prompts).size >= 12);
});

test('wrong input is one sentence', async () => {
  const one = await claims('--with', 'http://127.0.0.1:1');
  assert.deepEqual([one.status, one.stdout], [2, '']);
  assert.match(one.stderr, /--with and --without belong together/);
  const away = ['--with', 'http://127.0.0.1:1', '--without', 'http://127.0.0.1:1'];
  const gone = await claims(...away);
  assert.equal(gone.status, 4);
  assert.match(gone.stderr, /Cannot reach http:\/\/127\.0\.0\.1:1/);
});
