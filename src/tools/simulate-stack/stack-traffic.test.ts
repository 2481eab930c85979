// Traffic and options of simulated stacks, with a handful of requests each.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { readWorkload } from '../../io/workloads/index.ts';
import { routersOf, type StackRunOptions, simulateStack } from './stack.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-traffic-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Two engines by default. */
function valuesOf(routerSpec = '', vllmConfig = '', replicaCount = 2) {
  const text = `servingEngineSpec:
  modelSpec:
    - name: qwen
      modelURL: Qwen/Qwen3-8B
      gpu: H100-80GB
      replicaCount: ${replicaCount}
      vllmConfig: { maxModelLen: 8192, ${vllmConfig} }
routerSpec: { ${routerSpec} }
`;
  return resolveValues({ files: [{ name: 'v.yaml', text }] }).values;
}

/** One request a second, of two blocks of 512 tokens each. */
const rows = Array.from({ length: 6 }, (_, i) =>
  JSON.stringify({
    ...{ timestamp: 10_000 + 1000 * i, input_length: 1000, output_length: 4 },
    hash_ids: [0, i % 2 === 0 ? 1 : 2 + i],
  }),
);
const trace = file('trace.jsonl', rows.join('\n'));
const workload = file(
  'workload.yaml',
  'kind: single\nprompt: 300\nanswer: 4\nrequests: 8\narrivals: { process: constant, rate: 4 }\n',
);

const run = (options: Partial<StackRunOptions>) =>
  simulateStack({
    ...{ values: valuesOf(), speed: 1, seed: 1, failures: [], percentiles: [50] },
    ...options,
  });

test('a trace is played on its own clock, at the given speed, up to a number of requests', async () => {
  const plain = await run({ trace });
  assert.deepEqual([...plain.result.arrivalSeconds], [0, 1, 2, 3, 4, 5]);
  const fast = await run({ trace, speed: 2, requests: 3 });
  assert.deepEqual([...fast.result.arrivalSeconds], [0, 0.5, 1]);
  assert.deepEqual([plain.offeredRate, plain.clients], [undefined, undefined]);
  assert.equal(plain.workload.requests, 6);
});

test('a workload is played at its rate, up to a number of requests', async () => {
  const plain = await run({ workload });
  assert.equal(plain.report.completed, 8);
  assert.deepEqual([...plain.result.arrivalSeconds.slice(0, 3)], [0, 0.25, 0.5]);
  assert.equal((await run({ workload, requests: 5 })).report.completed, 5);
  assert.equal((await run({ workload, workloadSets: ['requests=3'] })).report.completed, 3);
});

test('the intended rate of a workload is known if the workload sets one', async () => {
  const chat = file(
    'chat.yaml',
    'kind: multi-round-qa\nusers: 2\nrounds: 3\nqps: 4\nsharedSystemPrompt: 32\nuserHistoryPrompt: 32\nanswerLen: 4\nrequests: 6\n',
  );
  // Each session sends 3 requests in 2 intervals.
  assert.equal((await run({ workload: chat })).offeredRate, 6);
  assert.equal((await run({ workload })).offeredRate, undefined);
});

test('progress is reported with the number of requests, if it is known', async () => {
  const progressOf = async (end: string) => {
    const seen: (readonly [number, number | undefined])[] = [];
    const short = file(
      'short.yaml',
      `kind: single\nprompt: 16\nanswer: 1\n${end}\narrivals: { process: constant, rate: 1000 }\n`,
    );
    await run({
      workload: short,
      onProgress: (finished, total) => seen.push([finished, total]),
    });
    return seen;
  };
  assert.deepEqual(await progressOf('requests: 300'), [[256, 300]]);
  assert.deepEqual(await progressOf('seconds: 0.3'), [[256, undefined]]);
});

test('a run needs a trace or a workload', async () => {
  await assert.rejects(run({}), /simulate -f needs --trace or --workload\./);
});

test('blocks of a trace are a multiple of the engines’, which may differ', async () => {
  const mixed = (first: number, second: number) =>
    resolveValues({
      files: [
        {
          name: 'v.yaml',
          text: `servingEngineSpec:
  modelSpec:
    - {name: a, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB, vllmConfig: {blockSize: ${first}}}
    - {name: b, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB, vllmConfig: {blockSize: ${second}}}
`,
        },
      ],
    }).values;
  assert.equal((await run({ values: mixed(16, 32), trace })).report.completed, 6);
  await assert.rejects(
    run({ values: mixed(16, 48), trace }),
    /has blocks of 512 tokens, and an engine of these values of 48; set vllmConfig\.blockSize to a divisor of 512/,
  );
  assert.equal((await run({ values: mixed(16, 32), workload })).report.completed, 8);
  await assert.rejects(
    run({ values: mixed(32, 48), workload }),
    /The engines have blocks of 32 and 48 tokens; give them the same blockSize\./,
  );
});

test('a failure names an engine that exists', async () => {
  const failing = (engine: number) =>
    run({ trace, failures: [{ engine, atSeconds: 2.5, seconds: 1 }] });
  assert.equal((await failing(1)).report.completed, 6);
  await assert.rejects(failing(2), /--fail names engine 2; these values have engines 0 to 1\./);
});

test('a run in which no request is served is refused', async () => {
  await assert.rejects(
    run({ trace, values: valuesOf('', 'extraArgs: ["--max-model-len=512"]') }),
    /No request was served: all are longer than the context of the engines/,
  );
});

test('requests beyond the context are refused and counted, the others are served', async () => {
  const long = JSON.stringify({
    ...{ timestamp: 20_000, input_length: 9000, output_length: 4 },
    hash_ids: Array.from({ length: 18 }, (_, i) => 100 + i),
  });
  const { refused, report, timings } = await run({
    trace: file('long.jsonl', [...rows, long].join('\n')),
  });
  assert.deepEqual([refused, report.completed, timings.length], [1, 6, 6]);
});

test('the utilization is the mean of the engines’', async () => {
  const { utilization, result } = await run({ trace });
  const [a = assert.fail(), b = assert.fail()] = result.engines;
  assert.equal(utilization, (a.utilization + b.utilization) / 2);
  assert.ok(utilization > 0);
});

test('only requests that meet the limits are good', async () => {
  assert.equal((await run({ trace })).report.good, undefined);
  assert.equal((await run({ trace, limits: { ttftMs: 60_000 } })).report.good, 6);
  assert.equal((await run({ trace, limits: { ttftMs: 0.001 } })).report.good, 0);
});

test('latencies count from the arrival at the router, with the percentiles asked for', async () => {
  const { report, result } = await run({ trace, percentiles: [50, 99] });
  const [first = Number.NaN] = result.ttftSeconds;
  assert.ok(first > 0);
  assert.deepEqual(
    report.fromSent.ttft?.percentiles.map(({ q }) => q),
    [50, 99],
  );
});

test('sessions stick to an engine', async () => {
  // Requests 0, 2 and 4 continue one session.
  const values = valuesOf('routingLogic: session, sessionKey: x-user-id');
  const { result } = await run({ trace, values });
  const engines = [0, 2, 4].map((i) => result.engineOf[i]);
  assert.equal(new Set(engines).size, 1, engines.join());
});

test('a parameter of a policy that is not in use is noted after the notes about the engines', async () => {
  const values = valuesOf(
    'routingLogic: roundrobin, prefixMinMatchLength: 128',
    'extraArgs: [--magic]',
  );
  const { notes } = await run({ trace, values });
  assert.deepEqual(notes, [
    'qwen: --magic is not a known flag of vLLM 0.32.',
    'routerSpec.prefixMinMatchLength has no effect: it is a parameter of prefixaware, and routerSpec.routingLogic is roundrobin.',
  ]);
  assert.deepEqual((await run({ trace })).notes, []);
  const fitting = valuesOf('routingLogic: prefixaware, prefixMinMatchLength: 128');
  assert.deepEqual((await run({ trace, values: fitting })).notes, []);
});

test('the key or the flag of one engine publishes KV events, and --no-kv-events ignores them', async () => {
  const contended = file(
    'contended.yaml',
    'kind: shared-prefix\ngroups: 8\npromptsPerGroup: 4\nsystemPrompt: 2000\nquestion: 50\nanswer: 8\narrivals: { process: poisson, rate: 40 }\n',
  );
  /** The engine of each request; caches hold two of the eight prefixes. */
  const picks = async (routerSpec: string, ...settings: readonly string[]) => {
    const entries = settings.map(
      (setting, i) =>
        `{name: e${i}, modelURL: Qwen/Qwen3-8B, gpu: H100-80GB, vllmConfig: {enablePrefixCaching: true, numGpuBlocksOverride: 300, maxModelLen: 4096${setting}}}`,
    );
    const text = `servingEngineSpec: {modelSpec: [${entries.join(', ')}]}\nrouterSpec: {${routerSpec}}`;
    const { values } = resolveValues({ files: [{ name: 'v', text }] });
    return [...(await run({ workload: contended, values })).result.engineOf].join('');
  };
  const predictive = 'routingLogic: predictive';
  const without = await picks(predictive, '', '');
  const published = await picks(predictive, ', kvEvents: true', ', kvEvents: true');
  assert.notEqual(published, without);
  assert.equal(await picks(predictive, ', kvEvents: true', ''), published);
  const flag = ', extraArgs: [--kv-events-config.enable_kv_cache_events=true]';
  assert.equal(await picks(predictive, '', flag), published);
  const ignoring = `${predictive}, extraArgs: [--no-kv-events]`;
  assert.equal(await picks(ignoring, ', kvEvents: true', ', kvEvents: true'), without);
  // A policy that requires them has them without the key.
  const kvaware = 'routingLogic: kvaware, kvAwareThreshold: 0';
  assert.equal(
    await picks(kvaware, '', ''),
    await picks(kvaware, ', kvEvents: true', ', kvEvents: true'),
  );
});

test('more routers than a simulation holds are refused', async () => {
  await assert.rejects(run({ trace, values: valuesOf('replicaCount: 101') }), {
    name: 'InputError',
    message: /101 routers.*at most 100/,
  });
});

test('the load of the engines is sampled over time', async () => {
  const { series } = (await run({ trace })).result;
  assert.ok(series.length > 2);
  assert.ok(series.some(({ running }) => running.some((count) => count > 0)));
});

test('the routers of the values are at least one, and share attempts if they are peers', () => {
  const of = (routerSpec: string) => routersOf(valuesOf(routerSpec));
  assert.deepEqual(of(''), { routers: 1, sharesAttempts: false });
  assert.deepEqual(of('replicaCount: 0'), { routers: 1, sharesAttempts: false });
  assert.deepEqual(of('replicaCount: 3, routerPeers: [http://routers]'), {
    ...{ routers: 3, sharesAttempts: true },
  });
});

test('a link is for disaggregated prefill', async () => {
  await assert.rejects(
    run({ trace, link: 10 }),
    /--link is for routerSpec\.routingLogic disaggregated_prefill and .*, not roundrobin\./,
  );
});

test('a workload’s lengths may be fitted to the prompts or the outputs of a trace beside it', async () => {
  const fitted = file(
    'fitted.yaml',
    'kind: single\nprompt: { trace: trace.jsonl, of: prompt }\nanswer: { trace: trace.jsonl, of: answer }\nrequests: 2\narrivals: { process: constant, rate: 4 }\n',
  );
  const { settings, requests } = await readWorkload(fitted);
  assert.equal(requests, 2);
  assert.notDeepEqual(settings['prompt'], settings['answer']);
  const { workload: stats } = await run({ workload: fitted });
  assert.deepEqual([stats.prompt.mean, stats.answer.mean], [1000, 4]);
});
