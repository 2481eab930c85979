// `spillway up` as users run it.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isAlive, UpProcess } from '../support/up-process.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

test('without flags, up serves four engines, and the commands that it prints work', async (context) => {
  const up = await UpProcess.start([]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  assert.match(up.stdout, new RegExp(`^ready: http://127\\.0\\.0\\.1:${up.port}/v1$`, 'm'));

  await up.until(() => /^for await .*\n/m.test(up.stdout));
  const curl = up.stdout.split('\n').find((line) => line.startsWith('curl ')) ?? '';
  const answer = JSON.parse((await run('sh', ['-c', `${curl} --silent`])).stdout);
  assert.equal(answer.usage.completion_tokens, 32);

  const lines = up.stdout.split('\n');
  const begin = lines.findIndex((line) => line.startsWith('import OpenAI'));
  const snippet = lines.slice(begin, lines.indexOf('', begin)).join('\n');
  const directory = await mkdtemp(join(tmpdir(), 'up-'));
  context.after(() => rm(directory, { recursive: true }));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  await writeFile(join(directory, 'hello.mjs'), snippet);
  const printed = await run(process.execPath, ['hello.mjs'], { cwd: directory });
  assert.match(printed.stdout, /\w+ \w+/);

  const engines = (await (await fetch(`${up.url}/debug/router`)).json()) as { engines: unknown[] };
  assert.equal(engines.engines.length, 4);
  assert.equal(await up.end('SIGINT'), 0);
  assert.match(up.stdout, /\nstopped\n$/);
  assert.ok(!`${up.stdout}${up.stderr}`.includes('\x1b'), 'no colour or cursor codes in a pipe');
});

test('an engine that dies is restarted, and Ctrl-C leaves no process behind', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'up-'));
  const up = await UpProcess.start(['--engines', '2', '--json', '--log-dir', directory]);
  context.after(async () => {
    await up.end('SIGKILL');
    await rm(directory, { recursive: true });
  });
  await up.ready();
  const victim = up.pids.get('qwen3-8b-1') ?? 0;
  process.kill(victim, 'SIGKILL');
  await up.until(() => {
    const state = up.events.findLast(({ name }) => name === 'qwen3-8b-1')?.state;
    return state === 'ready' && up.pids.get('qwen3-8b-1') !== victim;
  });
  await up.until(async () => {
    const response = await fetch(`${up.url}/debug/router`);
    assert.equal(response.status, 200, `${response.status}`);
    const { engines } = (await response.json()) as { engines: { state: string }[] };
    return engines.every(({ state }) => state === 'live');
  });
  const pids = [...up.pids.values()];
  assert.equal(pids.length, 3);
  assert.deepEqual(pids.map(isAlive), [true, true, true]);
  assert.equal(await up.end('SIGTERM'), 0);
  assert.deepEqual(pids.map(isAlive), [false, false, false]);
  assert.deepEqual(up.events.at(-1), { event: 'stopped' });
  assert.match(await readFile(join(directory, 'qwen3-8b-1.log'), 'utf8'), /emulation of vLLM/);
});

test('engines that share a process are listed separately and restart together', async (context) => {
  const shared = ['--set', 'spillway.engineProcesses=shared'];
  const up = await UpProcess.start(['--engines', '3', '--json', ...shared]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const names = [1, 2, 3].map((i) => `qwen3-8b-${i}`);
  const victim = up.pids.get('qwen3-8b-1') ?? 0;
  assert.deepEqual(
    names.map((name) => up.pids.get(name)),
    [victim, victim, victim],
  );
  const live = async () => {
    const response = await fetch(`${up.url}/debug/router`);
    const { engines } = (await response.json()) as { engines: { url: string; state: string }[] };
    return new Set(engines.filter(({ state }) => state === 'live').map(({ url }) => url)).size;
  };
  assert.equal(await live(), 3);
  process.kill(victim, 'SIGKILL');
  await up.until(() => {
    const states = names.map((name) => up.events.findLast((event) => event.name === name)?.state);
    return up.pids.get('qwen3-8b-3') !== victim && states.every((state) => state === 'ready');
  });
  await up.until(async () => (await live()) === 3);
  assert.equal(await up.end('SIGINT'), 0);
});

test('when up is killed with SIGKILL, its children exit', async () => {
  const up = await UpProcess.start(['--engines', '1', '--json']);
  await up.ready();
  const pids = [...up.pids.values()];
  assert.deepEqual(pids.map(isAlive), [true, true]);
  await up.end('SIGKILL');
  await up.until(() => !pids.some(isAlive));
});

test('a running engine is added by its URL', async (context) => {
  const first = await UpProcess.start(['--engines', '1']);
  context.after(() => first.end('SIGKILL'));
  await first.ready();
  const second = await UpProcess.start(['--engines', '0', '--engine', first.url, '--json']);
  context.after(() => second.end('SIGKILL'));
  await second.ready();
  const ready = second.events.find(({ event }) => event === 'ready');
  assert.deepEqual(ready?.models, ['Qwen/Qwen3-8B']);
  const response = await fetch(`${second.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'Qwen/Qwen3-8B',
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 4,
    }),
  });
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  assert.deepEqual([await second.end(), await first.end()], [0, 0]);
});

test('keys come from the environment: engines require theirs, which the router sends, and the router its own', async (context) => {
  const env = { ...process.env, VLLM_API_KEY: 'engines', SPILLWAY_ROUTER_API_KEY: 'clients' };
  const up = await UpProcess.start(['--engines', '1'], { env });
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const statusOf = async (url: string, key?: string) => {
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
    return (await fetch(`${url}/v1/models`, { headers })).status;
  };
  const shown = await fetch(`${up.url}/debug/router`, {
    headers: { authorization: 'Bearer clients' },
  });
  const { engines } = (await shown.json()) as { engines: { url: string }[] };
  const engine = engines[0]?.url ?? '';
  assert.deepEqual(
    [await statusOf(engine), await statusOf(engine, 'clients'), await statusOf(engine, 'engines')],
    [401, 401, 200],
  );
  assert.deepEqual(
    [await statusOf(up.url), await statusOf(up.url, 'engines'), await statusOf(up.url, 'clients')],
    [401, 401, 200],
  );
  const completion = await fetch(`${up.url}/v1/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer clients', 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'Qwen/Qwen3-8B', prompt: 'Hi', max_tokens: 2 }),
  });
  assert.equal(completion.status, 200);
  await up.until(() => /Bearer \$SPILLWAY_ROUTER_API_KEY/.test(up.stdout));
  assert.doesNotMatch(`${up.stdout}${up.stderr}`, /Bearer (engines|clients)/);
  assert.equal(await up.end('SIGINT'), 0);
});

test('the router’s key may be in the values; it is in no process list', async (context) => {
  const up = await UpProcess.start(['--engines', '1', '--set', 'routerSpec.apiKey=rk-in-values']);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const statusOf = async (headers: Record<string, string>) =>
    (await fetch(`${up.url}/v1/models`, { headers })).status;
  assert.equal(await statusOf({}), 401);
  assert.equal(await statusOf({ authorization: 'Bearer rk-in-values' }), 200);
  const children = spawnSync('ps', ['-eo', 'ppid,args'], { encoding: 'utf8' });
  const router = children.stdout.split('\n').filter((line) => / router /.test(line));
  assert.doesNotMatch(router.join('\n'), /rk-in-values/);
});

test('with routerSpec.enableRouter: false the engines run alone', async (context) => {
  const flags = ['--engines', '2', '--set', 'routerSpec.enableRouter=false'];
  const up = await UpProcess.start(flags);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  assert.match(
    up.stderr,
    /^spillway: --port has no effect: there is no router, .*enginePort.*\.$/m,
  );
  assert.match(up.stdout, /^starting 2 engines \(.*\) without a router$/m);
  assert.match(up.stdout, /^ready: 2 engines without a router$/m);
  // The last line of what is printed then.
  await up.until(() => /^curl /m.test(up.stdout));
  const urls = [...up.stdout.matchAll(/^qwen3-8b-[12]: (http:\S+\/v1)$/gm)].map(([, url]) => url);
  assert.equal(urls.length, 2);
  for (const url of urls) {
    const { data } = (await (await fetch(`${url}/models`)).json()) as { data: { id: string }[] };
    assert.equal(data[0]?.id, 'Qwen/Qwen3-8B');
  }
  assert.match(up.stdout, new RegExp(`^curl ${urls[0]}/chat/completions `, 'm'));
  await assert.rejects(fetch(`${up.url}/health`));
  assert.equal(await up.end(), 0);
  assert.match(up.stdout, /^stopping \(SIGINT\): the engines stop$/m);
});

test('without a router, --json lists the engines, and snapshots say that there is none', async (context) => {
  const flags = ['--engines', '1', '--json', '--set', 'routerSpec.enableRouter=false'];
  const up = await UpProcess.start(flags);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  await up.until(() => up.events.some(({ event }) => event === 'snapshot'));
  const ready = up.events.find(({ event }) => event === 'ready');
  const [engine] = (ready?.['engines'] ?? []) as { name: string; url: string; model: string }[];
  assert.deepEqual([ready?.['url'], ready?.['router']], [null, false]);
  assert.deepEqual([engine?.name, engine?.model], ['qwen3-8b', 'Qwen/Qwen3-8B']);
  assert.equal((await fetch(`${engine?.url}/health`)).status, 200);
  const snapshot = up.events.find(({ event }) => event === 'snapshot');
  assert.equal(snapshot?.['router'], null);
  assert.equal(await up.end(), 0);
});
