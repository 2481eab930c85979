// `spillway bench serve --clients`: one load from several processes, against a scripted server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { scriptedOpenai } from '../support/scripted-openai.ts';
import { until } from '../support/until.ts';

const small = ['--random-input-len', '20', '--random-output-len', '4', '--num-warmups', '0'];

/** Starts a run with its result as JSON. */
function start(url: string, ...args: readonly string[]) {
  const all = ['bin/spillway.mjs', 'bench', 'serve', '--url', url, ...small, '--json', ...args];
  const child = spawn(process.execPath, all);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve)).then(
    (status) => {
      assert.notEqual(texts.stdout, '', texts.stderr);
      return { status, result: JSON.parse(texts.stdout) };
    },
  );
  return { child, ended };
}

async function server(t: TestContext, gapMs = 1) {
  const scripted = await scriptedOpenai({ gapMs });
  t.after(() => scripted.close());
  return scripted;
}

/** The client processes of a run. */
function clientsOf(pid: number | undefined): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      return Number(parent) === pid ? Number(name) : [];
    } catch {
      return [];
    }
  });
}

test('three processes send the requests of one, at the same times, and one result has all', async (t) => {
  const [one, three] = [await server(t), await server(t)];
  const load = ['--num-prompts', '40', '--request-rate', '40', '--save-detailed'];
  const alone = await start(one.url, ...load).ended;
  const { status, result } = await start(three.url, ...load, '--clients', '3').ended;
  assert.equal(status, 0);
  const prompts = ({ requests }: typeof one) => requests.map(({ prompt }) => prompt).sort();
  assert.deepEqual(prompts(three), prompts(one));
  assert.deepEqual([result.completed, result.failed, result.spillway.clients], [40, 0, 3]);
  assert.equal(alone.result.spillway.clients, 1);
  assert.equal(result.ttfts.length, 40);
  const { offered_rate: offered, client_lag_ms: lag } = result.spillway;
  assert.ok(Math.abs(offered / alone.result.spillway.offered_rate - 1) < 1e-9);
  assert.ok(lag.mean >= 0 && lag.max < 5_000);
});

test('users are divided among the processes', async (t) => {
  const scripted = await server(t, 20);
  const load = ['--num-prompts', '30', '--users', '5', '--clients', '2'];
  const { status, result } = await start(scripted.url, ...load).ended;
  assert.equal(status, 0);
  assert.deepEqual([result.completed, result.max_concurrent_requests], [30, 5]);
});

test('Ctrl-C keeps what all processes have measured', async (t) => {
  const scripted = await server(t);
  const load = ['--num-prompts', '1000', '--request-rate', '50', '--clients', '2'];
  const { child, ended } = start(scripted.url, ...load);
  await until(() => scripted.requests.length > 20);
  // A terminal sends it to every process.
  for (const pid of clientsOf(child.pid)) process.kill(pid, 'SIGINT');
  child.kill('SIGINT');
  const { status, result } = await ended;
  assert.equal(status, 130);
  assert.ok(result.completed + result.failed >= 20);
  assert.equal(result.num_prompts, 1000);
  assert.deepEqual([result.spillway.interrupted, result.spillway.stopped_by], [true, 'signal']);
});

test('a process that dies is reported, and its requests in flight count as failed', {
  skip: process.platform !== 'linux' && 'looks for processes in /proc',
}, async (t) => {
  const scripted = await server(t, 400);
  const load = ['--num-prompts', '60', '--request-rate', '20', '--clients', '2'];
  const { child, ended } = start(scripted.url, ...load);
  await until(() => scripted.requests.length > 20);
  const [victim] = clientsOf(child.pid);
  assert.ok(victim !== undefined);
  process.kill(victim, 'SIGKILL');
  const { status, result } = await ended;
  assert.equal(status, 1);
  const [death, ...others] = result.spillway.client_deaths;
  assert.deepEqual([death.cause, others], ['SIGKILL', []]);
  assert.ok(death.lost_requests > 0);
  assert.equal(result.spillway.errors_by_kind.client_died, death.lost_requests);
  assert.equal(result.spillway.stopped_by, 'death of a client process');
  // The other process sends all of its half.
  assert.ok(result.completed >= 30 && result.completed < 60);
});

test('a server that goes ends all processes', async (t) => {
  const scripted = await server(t);
  const load = ['--num-prompts', '2000', '--request-rate', '100', '--clients', '2'];
  const { ended } = start(scripted.url, ...load, '--max-refused', '5');
  await until(() => scripted.requests.length > 20);
  await scripted.close();
  const { status, result } = await ended;
  assert.equal(status, 1);
  assert.equal(result.spillway.stopped_by, 'refused connections');
  assert.ok(result.completed + result.failed < 1000);
});
