// Several embedded engines in one process: `spillway engine --count`.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';

interface ReadyLine {
  readonly event: string;
  readonly engine: number;
  readonly url: string;
  readonly models: readonly string[];
  readonly kvEvents: string;
  readonly kvReplay: string;
}

const kvEvents = JSON.stringify({
  ...{ enable_kv_cache_events: true, endpoint: 'tcp://127.0.0.1:0' },
  replay_endpoint: 'tcp://127.0.0.1:0',
});

test('engines of one process differ in ports, give the same text, and count only their own requests', async (t) => {
  const { engines } = await start(t, ['--count', '3', '--kv-events-config', kvEvents]);
  assert.deepEqual(
    engines.map(({ event, engine, models }) => [event, engine, models[0]]),
    [1, 2, 3].map((engine) => ['ready', engine, 'qwen3-0.6b']),
  );
  const endpoints = engines.flatMap(({ url, kvEvents, kvReplay }) => [url, kvEvents, kvReplay]);
  assert.equal(new Set(endpoints).size, 9);

  const [first, second] = [await complete(engines[0]), await complete(engines[1])];
  assert.equal(first, second);
  assert.equal(await complete(engines[0]), first);
  assert.deepEqual(await Promise.all(engines.map(generated)), [40, 20, 0]);
});

test('on SIGTERM the streams of all engines finish, and the exit code is 0', async (t) => {
  const { child, engines } = await start(t, ['--count', '3', '--shutdown-timeout', '20']);
  const streams = await Promise.all(
    engines.map(({ url }) => post(url, { max_tokens: 400, stream: true })),
  );
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  for (const stream of streams) {
    assert.match(await stream.text(), /"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/);
  }
  assert.deepEqual(await exit, [0, null]);
});

test('fixed ports count up, and what overlaps or is taken is refused in one sentence', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  const before = await run(t, ['--port', `${port - 1}`, '--count', '2']);
  assert.equal(before.code, 2);
  assert.match(
    before.errors,
    new RegExp(`^spillway: Port (${port - 1}|${port}) on 127.0.0.1 is in use;.*\n$`),
  );

  const overlapping = kvEvents.replace('0.1:0', '0.1:21560').replace('0.1:0', '0.1:21562');
  const overlap = await run(t, [
    ...['--port', '0', '--count', '3', '--kv-events-config', overlapping],
  ]);
  assert.equal(overlap.code, 2);
  assert.match(overlap.errors, /^spillway: --count 3 needs .* choose ports at least 3 apart.*\n$/);

  const past = await run(t, ['--port', '65535', '--count', '2']);
  assert.equal(past.code, 2);
  assert.match(past.errors, /^spillway: --count 2 .*the highest port is 65535.*\n$/);
});

async function start(t: TestContext, flags: readonly string[]) {
  const child = spawnEngines(t, ['--port', '0', '--json', ...flags]);
  const count = Number(flags[1]);
  const engines: ReadyLine[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    engines.push(JSON.parse(line));
    if (engines.length === count) break;
  }
  assert.equal(engines.length, count);
  return { child, engines };
}

async function run(t: TestContext, flags: readonly string[]) {
  const child = spawnEngines(t, flags);
  let errors = '';
  child.stderr?.on('data', (bytes) => {
    errors += bytes;
  });
  const [code] = await once(child, 'close');
  return { code, errors };
}

function spawnEngines(t: TestContext, flags: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, ['bin/spillway.mjs', 'engine', 'qwen3-0.6b', ...flags], {
    cwd: `${import.meta.dirname}/../..`,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function complete(engine: ReadyLine | undefined): Promise<string> {
  const answer = (await (await post(engine?.url ?? '', { max_tokens: 20 })).json()) as {
    choices: { message: { content: string } }[];
  };
  return answer.choices[0]?.message.content ?? '';
}

async function generated({ url }: ReadyLine): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(/^vllm:generation_tokens_total\{[^}]*\} (\S+)$/m.exec(page)?.[1]);
}

function post(url: string, fields: object): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ messages: [{ role: 'user', content: 'Say hello.' }], ignore_eos: true },
      ...fields,
    }),
  });
}
