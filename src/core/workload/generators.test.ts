// Generated traffic: what each kind and each process promises, measured on what it produced.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/index.ts';
import type { WorkloadRequest } from '../traces/index.ts';
import {
  type ArrivalProcess,
  arrivalTimes,
  drawLength,
  fitLengths,
  PromptTree,
  parseWorkload,
  startWorkload,
  WorkloadMeter,
} from './index.ts';

const near = (found: number, wanted: number, share: number, what = '') =>
  assert.ok(Math.abs(found / wanted - 1) < share, `${what} ${found}, not about ${wanted}`);

test('two prompts share ids exactly as far as their texts are equal', () => {
  const part = fc.record({ content: fc.nat(2), tokens: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.array(part, { maxLength: 6 }), (one, two) => {
      const tree = new PromptTree(16);
      const nodeOf = (parts: typeof one) =>
        parts.reduce((node, p) => tree.extend(node, p.tokens, String(p.content)), tree.root);
      const [a, b] = [tree.blockIds(nodeOf(one)), tree.blockIds(nodeOf(two))];
      let shared = 0;
      for (let i = 0; i < Math.min(one.length, two.length); i++) {
        if (one[i]?.content !== two[i]?.content || one[i]?.tokens !== two[i]?.tokens) break;
        shared += one[i]?.tokens ?? 0;
      }
      const same = a.findIndex((id, i) => id !== b[i]);
      const common = same < 0 ? Math.min(a.length, b.length) : same;
      assert.equal(common, Math.floor(shared / 16));
      assert.equal(a.length, Math.ceil(one.reduce((sum, p) => sum + p.tokens, 0) / 16));
    }),
  );
});

const processes: readonly [ArrivalProcess, number][] = [
  [{ process: 'constant', rate: 4 }, 0],
  [{ process: 'poisson', rate: 4 }, 1],
  [{ process: 'gamma', rate: 4, burstiness: 0.25 }, 2],
  [{ process: 'gamma', rate: 4, burstiness: 4 }, 0.5],
];

test('each process keeps its mean rate, and renewal processes the variation of their gaps', () => {
  for (const [process, cv] of processes) {
    const times = take(arrivalTimes(process, seededRandom(3)), 40_000);
    near(40_000 / (times.at(-1) as number), 4, 0.03, process.process);
    const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
    const deviation = Math.sqrt(
      gaps.reduce((sum, gap) => sum + (gap - 0.25) ** 2, 0) / gaps.length,
    );
    assert.ok(Math.abs(deviation / 0.25 - cv) < 0.05, `${process.process} ${deviation / 0.25}`);
  }
});

test('on-off has no arrivals between bursts, diurnal follows its day, and both keep the mean rate', () => {
  const onOff = { process: 'on-off', rate: 4, onSeconds: 10, offSeconds: 30 } as const;
  const bursts = take(arrivalTimes(onOff, seededRandom(5)), 80_000);
  near(80_000 / (bursts.at(-1) as number), 4, 0.06);
  const silent = bursts.slice(1).filter((at, i) => at - (bursts[i] as number) > 5).length;
  near(silent, ((bursts.at(-1) as number) / 40) * Math.exp(-5 / 30), 0.15, 'silences');
  const diurnal = { process: 'diurnal', rate: 4, swing: 0.8, periodSeconds: 1000 } as const;
  const day = take(arrivalTimes(diurnal, seededRandom(5)), 80_000);
  near(80_000 / (day.at(-1) as number), 4, 0.03);
  const quarter = (from: number) =>
    day.filter((at) => at % 1000 >= from && at % 1000 < from + 250).length;
  // The mean of 1 ± 0.8 sin over the quarters around its peak and its trough.
  near(quarter(125) / quarter(625), (1 + 0.8 * 0.9) / (1 - 0.8 * 0.9), 0.05);
});

test('a log-normal has the given mean and variation, and a fit reproduces its values', () => {
  const random = seededRandom(9);
  const drawn = Array.from({ length: 50_000 }, () => drawLength({ mean: 800, cv: 1.5 }, random));
  const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length;
  near(mean, 800, 0.03);
  const fitted = fitLengths(drawn);
  const again = Array.from({ length: 50_000 }, () => drawLength(fitted, random));
  for (const share of [0.1, 0.5, 0.9]) near(quantile(again, share), quantile(drawn, share), 0.03);
});

const answeredAfter = (seconds: number) => (request: WorkloadRequest) =>
  request.arrivalSeconds + seconds;

test('multi-round QA sends as upstream while responses are fast, and less when they are slow', () => {
  const file = `
kind: multi-round-qa
users: 20
rounds: 5
qps: 2
sharedSystemPrompt: 1000
userHistoryPrompt: 2000
question: 20
answerLen: 100
seconds: 400`;
  const quick = play(file, answeredAfter(1));
  // A user asks five times in four gaps, so upstream's own arithmetic makes 2.5 a second of 2.
  near(quick.stats.rate ?? 0, 2.5, 0.05, 'rate');
  assert.equal(quick.stats.prompt.max, 1000 + 2000 + 4 * 120 + 20);
  // Twenty users who wait 20 s for each answer ask once a second; two join each second.
  const early = file.replace('seconds: 400', 'seconds: 40');
  const slow = play(early, answeredAfter(20)).stats.requests;
  assert.ok(slow < 0.8 * play(early, answeredAfter(1)).stats.requests, `${slow}`);
  // Who follows up finds all of the round before, the answer included.
  const bySession = Map.groupBy(quick.requests, ({ session }) => session);
  for (const rounds of bySession.values()) {
    for (const [i, round] of rounds.entries()) {
      const before = rounds[i - 1];
      if (before === undefined) continue;
      const whole = Math.floor((before.promptTokens + before.outputTokens) / 16);
      assert.deepEqual(round.blockIds.slice(0, whole), before.blockIds.slice(0, whole));
    }
  }
});

test('shared prefixes occur in every group, and each question once per pass', () => {
  const file = `
kind: shared-prefix
groups: 5
promptsPerGroup: 4
systemPrompt: 320
question: 32
answer: 10
arrivals: { clients: 3 }`;
  const { requests, stats, inFlightMax } = play(file, answeredAfter(2));
  assert.equal(requests.length, 20);
  assert.equal(inFlightMax, 3);
  assert.equal(new Set(requests.map(({ blockIds }) => blockIds[0])).size, 5);
  assert.equal(new Set(requests.map(({ blockIds }) => blockIds[20])).size, 20);
  // All but the first of a group find its system prompt.
  assert.equal(stats.reusableShare, (15 * 320) / (20 * 352));
  assert.equal(stats.workingSetTokens, 5 * 320);
});

test('with priming, each system prompt is sent once before the questions, which then hit it', () => {
  const { requests } = play(
    `
kind: shared-prefix
groups: 5
promptsPerGroup: 4
systemPrompt: 320
question: 32
answer: 10
primed: true
arrivals: { clients: 3 }`,
    answeredAfter(2),
  );
  const [primes, questions] = [requests.slice(0, 5), requests.slice(5)];
  assert.equal(questions.length, 20);
  assert.deepEqual(new Set(primes.map(({ promptTokens }) => promptTokens)), new Set([320]));
  assert.ok(
    primes.every(({ arrivalSeconds, outputTokens }) => arrivalSeconds + outputTokens === 1),
  );
  const primed = new Set(primes.map(({ blockIds }) => blockIds[19]));
  assert.equal(primed.size, 5);
  assert.ok(questions.every(({ blockIds }) => primed.has(blockIds[19])));
});

test('clients that ramp up begin one by one, for every kind of workload', () => {
  for (const kind of [
    'kind: single\nprompt: 100\nanswer: 10\nrequests: 12',
    'kind: agents\nroles: 1\nsystemPrompt: 50\ntask: 50\nsteps: 1\ntoolResult: 10\nanswer: 10\nrequests: 12',
  ]) {
    const { requests } = play(
      `${kind}\narrivals: { clients: 4, rampSeconds: 8 }`,
      answeredAfter(100),
    );
    const starts = requests.slice(0, 4).map(({ arrivalSeconds }) => arrivalSeconds);
    assert.deepEqual(starts, [0, 2, 4, 6]);
  }
});

test('clients start 10 ms apart, all within a second, unless the file says otherwise', () => {
  const startsOf = (arrivals: string, clients: number) => {
    const file = `kind: single\nprompt: 100\nanswer: 10\nrequests: 300\narrivals: ${arrivals}`;
    const { requests } = play(file, answeredAfter(100));
    const starts = requests.slice(0, clients).map(({ arrivalSeconds }) => arrivalSeconds);
    return [starts[0], starts[1], starts.at(-1)].map((at) => Number(at?.toFixed(6)));
  };
  assert.deepEqual(startsOf('{ clients: 4 }', 4), [0, 0.01, 0.03]);
  assert.deepEqual(startsOf('{ clients: 200 }', 200), [0, 0.005, 0.995]);
  assert.deepEqual(startsOf('{ clients: 4, rampSeconds: 0 }', 4), [0, 0, 0]);
});

test('an order of questions that is drawn once applies to every pass', () => {
  const orderOf = (order: string) => {
    const { requests } = play(
      `
kind: shared-prefix
groups: 5
promptsPerGroup: 4
systemPrompt: 320
question: 32
answer: 10
order: ${order}
requests: 40
arrivals: { clients: 1 }`,
      answeredAfter(2),
    );
    const questions = requests.map(({ blockIds }) => blockIds[20]);
    return [questions.slice(0, 20), questions.slice(20)] as const;
  };
  const [first, second] = orderOf('shuffled-once');
  assert.deepEqual(first, second);
  assert.notDeepEqual(first, orderOf('by-group')[0]);
  const [drawn, anew] = orderOf('shuffled');
  assert.notDeepEqual(drawn, anew);
});

test('documents in a fixed order are found more often than in the order of retrieval', () => {
  const rag = (order: string) =>
    play(
      `
kind: rag
documents: 200
documentTokens: { from: 500, to: 1500 }
perRequest: 3
popularity: 1.1
order: ${order}
systemPrompt: 160
question: 40
answer: 50
requests: 2000
arrivals: { process: poisson, rate: 5 }`,
      answeredAfter(1),
    ).stats;
  assert.ok(rag('sorted').reusableShare > rag('retrieved').reusableShare);
  near(rag('retrieved').prompt.mean, 160 + 40 + 3 * 1000, 0.1);
});

test('an agent’s task is a chain of the mean length, with a growing prompt', () => {
  const { requests, stats } = play(
    `
kind: agents
roles: 2
systemPrompt: 3000
task: 200
steps: 6
toolResult: { mean: 400, cv: 1 }
toolSeconds: 2
answer: 80
seconds: 4000
arrivals: { process: poisson, rate: 0.5 }`,
    answeredAfter(3),
  );
  near(requests.length / stats.sessions, 6, 0.06, 'steps');
  const longest = new Map<string | undefined, number>();
  for (const { session, promptTokens } of requests) {
    assert.ok(promptTokens > (longest.get(session) ?? 3000));
    longest.set(session, promptTokens);
  }
});

test('equal seeds give equal requests, and different seeds different ones', () => {
  const file = `
kind: single
prompt: { mean: 300, cv: 1 }
answer: 20
requests: 50
arrivals: { process: gamma, rate: 3, burstiness: 0.5 }`;
  const of = (seed: number) => play(file, answeredAfter(1), seed).requests;
  assert.deepEqual(of(1), of(1));
  assert.notDeepEqual(of(1), of(2));
});

function play(file: string, answeredAt: (request: WorkloadRequest) => number, seed = 1) {
  const run = startWorkload(parseWorkload(file, 'w.yaml'), { blockTokens: 16, seed });
  const meter = new WorkloadMeter(16);
  const requests: WorkloadRequest[] = [];
  const inFlight: { index: number; at: number }[] = [];
  let inFlightMax = 0;
  for (;;) {
    const next = run.source.nextSeconds;
    const first = inFlight[0];
    if (first === undefined && next === Number.POSITIVE_INFINITY) break;
    if (first && first.at <= next) {
      inFlight.shift();
      run.source.answered(first.index, first.at);
      continue;
    }
    const request = run.source.take();
    meter.add(request);
    inFlight.push({ index: requests.push(request) - 1, at: answeredAt(request) });
    inFlight.sort((a, b) => a.at - b.at);
    inFlightMax = Math.max(inFlightMax, inFlight.length);
  }
  return { requests, stats: meter.stats(), inFlightMax };
}

function take(times: Iterator<number>, count: number): number[] {
  return Array.from({ length: count }, () => times.next().value as number);
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] as number;
}

test('LoRA traffic names an adapter per request, by popularity, and adapters share no block', () => {
  const text =
    'kind: lora\nadapters: 4\nskew: 1\nsystemPrompt: 640\nquestion: 64\nanswer: 10\nrequests: 2000\narrivals: { process: constant, rate: 10 }';
  const { source } = startWorkload(parseWorkload(text, 'w.yaml'), { blockTokens: 16, seed: 1 });
  const requests: WorkloadRequest[] = [];
  while (Number.isFinite(source.nextSeconds)) {
    requests.push(source.take());
    source.answered(requests.length - 1, source.nextSeconds);
  }
  const byAdapter = Map.groupBy(requests, ({ adapterId }) => adapterId);
  assert.deepEqual([...byAdapter.keys()].toSorted(), [1, 2, 3, 4]);
  const ids = [...byAdapter.values()].map((own) => new Set(own.map(({ blockIds }) => blockIds[0])));
  assert.ok(
    ids.every(({ size }) => size === 1),
    'each adapter has one system prompt',
  );
  assert.equal(new Set(ids.flatMap((own) => [...own])).size, 4, 'and none is that of another one');
  // 1 / n of 25 / 12 in all.
  near(byAdapter.get(1)?.length ?? 0, 2000 * (12 / 25), 0.1, 'requests of the first adapter');
});
