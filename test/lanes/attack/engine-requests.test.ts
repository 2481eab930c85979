// Requests that cost an embedded engine far more than their client, one after the other: none ends it, none keeps it from its other
// clients, and each is served or refused with an OpenAI error.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Answer, type EngineTarget, startEngineTarget } from './engine-target.ts';
import { fuzzedRequest } from './fuzzed-requests.ts';
import { type HostileRequest, hostileInputs, hostileRequests } from './hostile-requests.ts';

/** Time on the processor that other requests may wait for one turn. */
const pauseMsMax = 200;
/** A request is sent again if it has caused a longer pause: a collection of garbage must not fail it. */
const attemptsMax = 4;
/** Memory that one request may cost: bodies of 60 MB are held as bytes and as text, of two bytes a character. */
const requestMiBMax = 512;

/** How long generated requests are sent, in seconds: 600 for the long form. */
const fuzzSeconds = Number(process.env['ENGINE_FUZZ_SECONDS'] ?? 20);
const fuzzSeed = Number(process.env['ENGINE_FUZZ_SEED'] ?? 1);
/** Sends this generated request alone. */
const fuzzOnly = process.env['ENGINE_FUZZ_ONLY'];
/** Memory by which the engine may grow after the first fifth of the time. */
const growthMiBMax = 256;

const toolFlags = ['--tool-call-parser', 'hermes', '--enable-auto-tool-choice'];

/** @returns The shortest of the longest pauses of several attempts. */
async function pauseOf(
  target: EngineTarget,
  hostile: HostileRequest,
  patienceMs?: number,
): Promise<{ readonly answer: Answer; readonly pauseMs: number }> {
  let answer: Answer = { status: 0, text: '' };
  let pauseMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < attemptsMax && pauseMs >= pauseMsMax && target.isAlive(); i++) {
    await target.measure();
    answer = await target.send(hostile, patienceMs);
    if (target.isAlive()) pauseMs = Math.min(pauseMs, (await target.measure()).longestPauseMs);
  }
  return { answer, pauseMs };
}

async function attack(
  t: TestContext,
  target: EngineTarget,
  requests: Readonly<Record<string, () => HostileRequest>>,
): Promise<void> {
  const faults: string[] = [];
  for (const [what, request] of Object.entries(requests)) {
    const before = await target.measure();
    const { answer, pauseMs } = await pauseOf(target, request());
    assert.ok(target.isAlive(), `${what} ended the engine: ${target.log().slice(-500)}`);
    const grownMiB = (await target.measure()).rssMiB - before.rssMiB;
    t.diagnostic(`${pauseMs.toFixed(0)} ms, ${grownMiB.toFixed(0)} MiB, ${answer.status}: ${what}`);
    if (pauseMs >= pauseMsMax) faults.push(`${what}: a pause of ${pauseMs.toFixed(0)} ms`);
    if (grownMiB >= requestMiBMax) faults.push(`${what}: ${grownMiB.toFixed(0)} MiB`);
    if (!isProper(answer)) faults.push(`${what}: ${answer.status} ${answer.text}`);
    if (!(await target.isServing())) faults.push(`${what}: others are not served`);
  }
  assert.deepEqual(faults, []);
}

/** Messages of JavaScript, which no emulated server has. */
const ownFault =
  /call stack|Invalid (string|array) length|Cannot (read|convert|destructure)|is not a function|is not defined/;

/** Served, or refused with an error object, FastAPI's in some cases, and as in vLLM with status 500 in a few. */
function isProper({ status, text }: Answer): boolean {
  if (status === 200) return true;
  return status >= 400 && /"(error|detail)"/.test(text) && !ownFault.test(text);
}

test('no request ends an engine, or keeps it from others for 200 ms', {
  timeout: 300_000,
}, async (t) => {
  await attack(t, await startEngineTarget(t, toolFlags), hostileRequests);
});

test('the same for an engine that reasons', async (t) => {
  const target = await startEngineTarget(t, [...toolFlags, '--reasoning-parser', 'qwen3']);
  const names = Object.keys(hostileRequests).filter((name) => /list|choices|schema/.test(name));
  const some = names.map((name) => [name, hostileRequests[name] ?? (() => assert.fail())] as const);
  await attack(t, target, Object.fromEntries(some));
});

for (const [what, model, path] of [
  ['embeds', 'Qwen/Qwen3-Embedding-0.6B', /embeddings/],
  ['scores', 'BAAI/bge-reranker-v2-m3', /rerank|score|classify/],
] as const) {
  test(`the same for an engine that ${what}`, async (t) => {
    const requests = Object.entries(hostileInputs).filter(([, request]) =>
      path.test(request().path),
    );
    await attack(
      t,
      await startEngineTarget(t, ['--runner', 'pooling', '--model', model]),
      Object.fromEntries(requests),
    );
  });
}

test(`generated requests for ${fuzzSeconds} s, of seed ${fuzzSeed}`, {
  timeout: (fuzzSeconds + 120) * 1000,
}, async (t) => {
  const target = await startEngineTarget(t, toolFlags);
  const startMs = performance.now();
  const statuses = new Map<number, number>();
  let [count, longestMs, warmMiB] = [0, 0, 0];
  const isOver = () =>
    fuzzOnly === undefined ? performance.now() - startMs > fuzzSeconds * 1000 : count > 0;
  while (!isOver()) {
    const index = fuzzOnly === undefined ? count : Number(fuzzOnly);
    const hostile = fuzzedRequest(fuzzSeed, index);
    const { answer, pauseMs } = await pauseOf(target, hostile, hostile.patienceMs);
    const which = `ENGINE_FUZZ_SEED=${fuzzSeed} ENGINE_FUZZ_ONLY=${index}, ${hostile.path}`;
    assert.ok(target.isAlive(), `${which} ended the engine: ${target.log().slice(-500)}`);
    assert.ok(pauseMs < pauseMsMax, `${which}: a pause of ${pauseMs.toFixed(0)} ms`);
    const isExpected = isProper(answer) || hostile.patienceMs !== undefined;
    assert.ok(isExpected, `${which}: ${answer.status} ${answer.text}`);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    longestMs = Math.max(longestMs, pauseMs);
    count++;
    if (warmMiB === 0 && performance.now() - startMs > fuzzSeconds * 200) {
      warmMiB = (await target.measure()).rssMiB;
    }
  }
  assert.ok(await target.isServing());
  const { rssMiB, peakRssMiB } = await target.measure();
  const grownMiB = rssMiB - (warmMiB || rssMiB);
  const counts = [...statuses].map(([status, times]) => `${status}: ${times}`).join(', ');
  t.diagnostic(
    `${count} requests (${counts}), longest pause ${longestMs.toFixed(0)} ms, ${rssMiB.toFixed(0)} MiB at the end, ${grownMiB.toFixed(0)} more than after a fifth, peak ${peakRssMiB.toFixed(0)}`,
  );
  assert.ok(grownMiB < growthMiBMax, `memory grew by ${grownMiB.toFixed(0)} MiB`);
});
