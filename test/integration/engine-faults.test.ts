// Each fault of the embedded engine, put in force at run time and seen by a client.
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { until } from '../support/until.ts';

const options = {
  port: 0,
  model: 'tiny',
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
  timeScale: Number.POSITIVE_INFINITY,
};
const server = await createEngineServer(options);
after(() => server.close());
afterEach(() => fetch(`${server.url}/spillway/faults`, { method: 'DELETE' }));

test('the faults in force can be read, set and removed', async () => {
  assert.deepEqual(await faults({ error: {} }), { error: { probability: 1, status: 500 } });
  const read = await fetch(`${server.url}/spillway/faults`);
  assert.deepEqual(await read.json(), { error: { probability: 1, status: 500 } });
  const wrong = await put({ nonsense: {} });
  assert.equal(wrong.status, 400);
  assert.match(await wrong.text(), /Unknown fault \\"nonsense\\"; known: refuse/);
  const late = await put({ slowStart: {} });
  assert.equal(late.status, 400);
  assert.match(await late.text(), /has no effect on a running engine; set it as a flag/);
});

test('error responds with its status, at its rate', async () => {
  await faults({ error: { probability: 0.5, status: 502 } });
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async () => (await complete(1)).status),
  );
  const failed = statuses.filter((status) => status === 502).length;
  assert.ok(failed > 8 && failed < 32, `${failed} of 40`);
  assert.ok(statuses.every((status) => status === 502 || status === 200));
});

test('tooManyRequests responds with 429 and Retry-After', async () => {
  await faults({ tooManyRequests: { retryAfterSeconds: 7 } });
  const answer = await complete(1);
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [429, '7']);
});

test('reset breaks the connection without a byte, and health still responds', async () => {
  await faults({ reset: {} });
  await assert.rejects(complete(1), /fetch failed/);
  assert.equal((await fetch(`${server.url}/health`)).status, 200);
});

test('refuse closes the port for a time and reopens it', async () => {
  await faults({ refuse: { seconds: 0.3 } });
  await until(async () => (await reachable()) === 'ECONNREFUSED');
  await until(async () => (await reachable()) === 'yes');
});

test('hangBeforeFirstByte holds everything back for its time', async () => {
  await faults({ hangBeforeFirstByte: { seconds: 0.2 } });
  const start = performance.now();
  assert.equal((await complete(1)).status, 200);
  assert.ok(performance.now() - start > 190);
});

test('wedge stops all requests while health responds, and they go on afterwards', async () => {
  await faults({ wedge: {} });
  let isDone = false;
  const answer = textOf(1).then((text) => {
    isDone = true;
    return text;
  });
  for (let i = 0; i < 5; i++) {
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
  }
  assert.equal(isDone, false);
  await faults({});
  assert.match(await answer, /\[DONE\]/);
});

test('wedge ends after its time', async () => {
  await faults({ wedge: { seconds: 0.2 } });
  const start = performance.now();
  assert.match(await textOf(1), /\[DONE\]/);
  assert.ok(performance.now() - start > 100);
});

test('hangInStream stops after its events and then goes on', async () => {
  await faults({ hangInStream: { events: 2, seconds: 0.2 } });
  const times: number[] = [];
  await readEvents(await complete(6), () => times.push(performance.now()));
  assert.equal(times.length, 7);
  const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
  assert.ok((gaps[1] as number) > 150, gaps.join(' '));
});

test('slowStream delays every event', async () => {
  await faults({ slowStream: { delayMs: 30 } });
  const start = performance.now();
  let events = 0;
  await readEvents(await complete(5), () => events++);
  assert.equal(events, 6);
  assert.ok(performance.now() - start > 120);
});

test('cutStream breaks off after its events, without the end of the stream', async () => {
  await faults({ cutStream: { events: 3 } });
  const events: string[] = [];
  await assert.rejects(
    readEvents(await complete(10), (event) => events.push(event)),
    /terminated/,
  );
  assert.equal(events.length, 3);
  assert.ok(!events.some((event) => event.includes('[DONE]')));
});

test('staleMetrics shows an old page', async () => {
  await faults({ staleMetrics: { seconds: 100 } });
  const before = await page();
  await (await complete(5)).text();
  assert.equal(await page(), before);
  await faults({});
  assert.notEqual(await page(), before);
});

test('slowStart opens the port later', async (t) => {
  const start = performance.now();
  const slow = await createEngineServer({ ...options, faults: { slowStart: { seconds: 0.2 } } });
  t.after(() => slow.close());
  assert.ok(performance.now() - start > 190);
});

test('crash cuts streams and closes the port at once', async (t) => {
  let crashes = 0;
  const fragile = await createEngineServer({
    ...options,
    cost: { stepSeconds: () => 0.02 },
    timeScale: 1,
    faults: { crash: { requests: 2 } },
    onCrash: () => crashes++,
  });
  t.after(() => fragile.close());
  const running = await complete(1000, fragile.url);
  const broken = assert.rejects(running.text(), /terminated/);
  await assert.rejects(complete(1, fragile.url), /fetch failed/);
  await broken;
  assert.equal(crashes, 1);
  await assert.rejects(fetch(`${fragile.url}/health`), /fetch failed/);
});

async function faults(body: object): Promise<unknown> {
  const answer = await put(body);
  assert.equal(answer.status, 200);
  return answer.json();
}

function put(body: object): Promise<Response> {
  return fetch(`${server.url}/spillway/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function complete(maxTokens: number, url = server.url): Promise<Response> {
  return fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'x', max_tokens: maxTokens, ignore_eos: true, stream: true }),
  });
}

async function textOf(maxTokens: number): Promise<string> {
  return (await complete(maxTokens)).text();
}

async function readEvents(answer: Response, onEvent: (event: string) => void): Promise<void> {
  let rest = '';
  for await (const bytes of answer.body ?? []) {
    rest += Buffer.from(bytes).toString();
    const events = rest.split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) onEvent(event);
  }
}

async function page(): Promise<string> {
  return (await fetch(`${server.url}/metrics`)).text();
}

async function reachable(): Promise<string> {
  try {
    await fetch(`${server.url}/health`);
    return 'yes';
  } catch (error) {
    return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? 'no';
  }
}
