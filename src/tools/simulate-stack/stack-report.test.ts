import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changed,
  disaggregatedRun,
  engineResult,
  smallRun,
  stackEngine,
} from '../../../test/support/small-stack-run.ts';
import { resolveValues } from '../../core/values/index.ts';
import type { StackRun } from './stack.ts';
import {
  goodLines,
  redundantLines,
  restoredLines,
  stackJson,
  stackLines,
  stackTable,
  warnings,
  workloadLines,
} from './stack-report.ts';

const withFields = (fields: object) => ({ ...smallRun, ...fields }) as StackRun;

test('the JSON of a run has the keys of vllm bench serve, and its own under spillway', () => {
  const lengths = { mean: 100, p50: 90, p90: 180, p99: 1990, max: 2500 };
  const engine = (name: string, requests: number) => ({
    ...{ engine: name, gpu: 'H100', tensor_parallel_size: 2, num_gpu_blocks: 101 },
    ...{ block_size: 16, max_model_len: 4096, offload: null, requests, computed_tokens: 600 },
    ...{ cached_tokens: 200, external_tokens: 100, restored_tokens: 0, output_tokens: 50 },
    ...{ recomputed_after_preemption_tokens: 0, recomputed_after_eviction_tokens: 0 },
    ...{ preemptions: 1, utilization: 0.5, tiers: null },
  });
  const { spillway, ...json } = stackJson(smallRun);
  const bench = Object.entries(json).filter(([key]) => !/_(ttft|tpot|itl|e2el)_ms$/.test(key));
  assert.deepEqual(Object.fromEntries(bench), {
    ...{ backend: 'spillway-simulate', model_id: 'm<1>', num_prompts: 4, request_rate: 4 },
    ...{ max_concurrency: null, duration: 10, completed: 3, failed: 1, total_input_tokens: 900 },
    ...{ total_output_tokens: 100, request_throughput: 0.3, request_goodput: null },
    ...{ output_throughput: 10, total_token_throughput: 100, max_output_tokens_per_s: 0 },
    ...{ max_concurrent_requests: 0, verdict: 'STABLE', utilization: 0.5, hit_rate: 0.5 },
    // 200 of 1,000 prompt tokens came from tiers.
    ...{ hbm_hit_rate: 0.3, external_hit_rate: 0.2, max_over_mean_computed: 1.25 },
  });
  assert.deepEqual([json['mean_ttft_ms'], json['mean_tpot_ms']], [1500, null]);
  assert.deepEqual(spillway, {
    ...{ policy: 'roundrobin', routers: 1, seed: 7, speed: 2, backlog_growth: 0.01 },
    recomputed_tokens: { after_preemption: 0, after_eviction: 0, share: 0 },
    ...{ preemptions: 2, refused: 0, rejected: 0, retries: 3, gpus: 4, mean_kv_usage: 0.5 },
    ...{ disaggregation: null, hbm_kv_tokens: 10_000 },
    workload: {
      ...{ requests: 400, sessions: 40, span_seconds: 100, rate: 3.9, offered_rate: 4 },
      ...{ gap_cv: 1.1, prompt_tokens: lengths, output_tokens: lengths, reusable_share: 0.75 },
      working_set_tokens: 12_345,
    },
    engines: [engine('a', 2), engine('b', 3)],
    notes: ['a note'],
  });
});

test('figures that a run does not have are null in its JSON', () => {
  const { workload, report } = smallRun;
  const traced = withFields({
    offeredRate: undefined,
    workload: { ...workload, rate: undefined, gapCv: undefined },
  });
  const { spillway, ...json } = stackJson(traced);
  assert.equal(json['request_rate'], 0.4);
  const own = spillway as { readonly workload: Record<string, unknown> };
  assert.deepEqual(
    [own.workload['rate'], own.workload['gap_cv'], own.workload['offered_rate']],
    [null, null, null],
  );
  const atOnce = { ...traced, report: { ...report, offeredRate: undefined } };
  assert.equal(stackJson(atOnce)['request_rate'], null);
  const unsampled = stackJson(changed(smallRun, { series: [] }))['spillway'];
  assert.equal((unsampled as Record<string, unknown>)['mean_kv_usage'], 0);
});

test('the JSON of a disaggregated run names each engine’s pool, and transfers are no cache hits', () => {
  const json = stackJson(disaggregatedRun);
  const { engines } = json['spillway'] as { readonly engines: readonly { pool: string }[] };
  assert.deepEqual(
    engines.map(({ pool }) => pool),
    ['prefill', 'decode', 'decode'],
  );
  assert.equal(json['external_hit_rate'], 0.1);
});

test('the text report has a verdict, warnings, engines, traffic, latencies and a row per engine', () => {
  assert.deepEqual(stackTable(smallRun).split('\n'), [
    'STABLE: engines busy 50.0 % of the time, queue grows by 1.0 % of the arrivals',
    '1 request was lost with an engine, 3 were retried on another.',
    'a note',
    '2 × (2 × H100), m<1>, KV cache 5,000 tokens; no offload',
    'roundrobin: hit rate 50.0 %, of which 20.0 % from tiers; max/mean computed 1.25',
    'workload: 400 requests of 40 sessions, 3.90/s, gap CV 1.10',
    '  prompt tokens mean 100, p50 90, p90 180, p99 1,990, max 2,500',
    '  output tokens mean 100, p50 90, p90 180, p99 1,990, max 2,500',
    '  75.0 % of prompt tokens appeared in earlier requests; working set 12,345 tokens',
    '3 requests in 10.0 s: 0.3 requests/s, 10.0 output tok/s',
    'ms           mean     median        p90',
    'TTFT       1500.0       20.0       30.0',
    'TPOT            –          –',
    'ITL             –          –',
    'E2EL       1500.0       20.0       30.0',
    'engine        requests    computed    HBM hits   tier hits      output   preempted        busy',
    'a                    2         600         200         100          50           1      50.0 %',
    'b                    3         600         200         100          50           1      50.0 %',
    '',
  ]);
});

test('the text report of a disaggregated run adds its pools, and KV read in place of tier hits', () => {
  const lines = stackTable(disaggregatedRun).split('\n');
  assert.deepEqual(
    lines.slice(3, 8).map((line) => line.split(/[ :]/)[0]),
    ['2', '1', 'roundrobin', 'prefill', 'decode'],
  );
  assert.equal(
    lines.find((line) => line.startsWith('engine')),
    'engine        requests    computed    HBM hits     KV read      output   preempted        busy',
  );
});

test('goodput is reported with its limits', () => {
  assert.deepEqual(goodLines(smallRun), []);
  const good = (limits: object) =>
    goodLines(
      withFields({
        options: { ...smallRun.options, limits },
        report: { ...smallRun.report, good: 2 },
      }),
    );
  assert.deepEqual(good({ ttftMs: 500, tpotMs: 20, e2eMs: 9000 }), [
    'goodput 0.20 of 0.30 requests/s: 66.7 % of the responses with TTFT ≤ 500 ms, TPOT ≤ 20 ms, E2E ≤ 9000 ms',
  ]);
  assert.deepEqual(good({ tpotMs: 20 }), [
    'goodput 0.20 of 0.30 requests/s: 66.7 % of the responses with TPOT ≤ 20 ms',
  ]);
});

test('tokens restored after preemptions are reported separately from tier hits', () => {
  assert.deepEqual(restoredLines(smallRun), []);
  const engines = [engineResult({ restoredTokens: 1000 }), engineResult({ restoredTokens: 234 })];
  const lines = [
    'After preemptions 1,234 tokens were loaded from tiers instead of being recomputed; tier hits do not include them.',
  ];
  assert.deepEqual(restoredLines(changed(smallRun, { engines })), lines);
  assert.deepEqual(stackTable(changed(smallRun, { engines })).split('\n').slice(-2), [
    ...lines,
    '',
  ]);
});

/** No request was lost or retried. */
const calm = { retries: 0, failed: [0, 0, 0, 0] };

test('clients that send less than chance explains are a warning', () => {
  const sent = (rate: number | undefined, offeredRate?: number) =>
    warnings(changed(smallRun, calm, { offeredRate, workload: { ...smallRun.workload, rate } }));
  // The mean rate of 400 requests may be 15 % below the intended one by chance.
  assert.deepEqual(sent(3.4, 4), ['a note']);
  assert.deepEqual(sent(3.39, 4), [
    'Clients sent 3.39 of 4.00 intended requests/s: they wait for responses, so a slow system receives less load.',
    'a note',
  ]);
  assert.deepEqual(sent(3.39), ['a note']);
  assert.deepEqual(sent(undefined, 4), ['a note']);
});

test('refused, lost and retried requests are warnings, after those about the verdict and the load', () => {
  const run = changed(
    smallRun,
    { retries: 3, failed: [1, 1, 1, 0] },
    {
      ...{ refused: 2, verdict: 'OVERLOADED' },
      workload: { ...smallRun.workload, rate: 1 },
    },
  );
  assert.deepEqual(warnings(run), [
    'The queue grows as long as requests arrive: latencies depend on the length of the run.',
    'Clients sent 1.00 of 4.00 intended requests/s: they wait for responses, so a slow system receives less load.',
    "2 requests were refused as longer than the engines' context.",
    '1 request was lost with an engine, 3 were retried on another.',
    'a note',
  ]);
  const [refused] = warnings(changed(smallRun, { ...calm, failed: [1] }, { refused: 1 }));
  assert.equal(refused, "1 request was refused as longer than the engines' context.");
  const [rejected, next] = warnings(changed(smallRun, { ...calm, rejected: 2, failed: [1, 1, 0] }));
  assert.equal(rejected, '2 requests were rejected by admission (routerSpec.admission).');
  assert.equal(next, 'a note', 'they are not lost');
  const lost = (result: object) => warnings(changed(smallRun, result))[0];
  assert.equal(
    lost({ retries: 1, failed: [0] }),
    '0 requests were lost with an engine, 1 was retried on another.',
  );
  assert.equal(
    lost({ retries: 0, failed: [1] }),
    '1 request was lost with an engine, 0 were retried on another.',
  );
});

test('engines of the same kind share one line', () => {
  const linesOf = (...engines: readonly object[]) =>
    stackLines(withFields({ engines })).slice(0, -1);
  assert.deepEqual(
    linesOf(
      stackEngine('a', { tensorParallelSize: 1 }),
      stackEngine('b', { offload: '8 GiB' }),
      stackEngine('c', { offload: '8 GiB' }),
    ),
    [
      '1 × H100, m<1>, KV cache 5,000 tokens; no offload',
      '2 × (2 × H100), m<1>, KV cache 5,000 tokens; 8 GiB',
    ],
  );
  assert.deepEqual(linesOf(stackEngine('a', { pipelineParallelSize: 3 })), [
    '1 × (6 × H100), m<1>, KV cache 5,000 tokens; no offload',
  ]);
});

test('several routers are named with the policy, and whether they share what they send', () => {
  const policyLine = (routerSpec: string) => {
    const files = [{ name: 'f', text: `routerSpec: {routingLogic: session, ${routerSpec}}` }];
    const { values } = resolveValues({ files });
    return stackLines(withFields({ options: { ...smallRun.options, values } })).at(-1);
  };
  const rest = ': hit rate 50.0 %, of which 20.0 % from tiers; max/mean computed 1.25';
  assert.equal(policyLine('sessionKey: x'), `session${rest}`);
  assert.equal(
    policyLine('sessionKey: x, replicaCount: 2'),
    `session in 2 routers that only know their own requests${rest}`,
  );
  assert.equal(
    policyLine('sessionKey: x, replicaCount: 3, routerPeers: [http://routers]'),
    `session in 3 routers that share what they send${rest}`,
  );
});

test('the pace of a workload is its rate, its clients, or all at once', () => {
  const pace = (fields: object) => workloadLines(withFields(fields))[0];
  assert.equal(
    pace({ clients: 8 }),
    'workload: 400 requests of 40 sessions, each of 8 clients sends one when its previous response is complete',
  );
  const atOnce = 'workload: 400 requests of 40 sessions, all at once';
  assert.equal(pace({ workload: { ...smallRun.workload, rate: undefined } }), atOnce);
  assert.equal(pace({ workload: { ...smallRun.workload, gapCv: undefined } }), atOnce);
});

test('tokens computed again are redundant prefill, with their share of all computed', () => {
  assert.deepEqual(redundantLines(smallRun), []);
  const engines = [
    engineResult({ recomputedAfterPreemption: 100, recomputedAfterEviction: 200 }),
    engineResult({}),
  ];
  const run = changed(smallRun, { engines });
  // 600 prompt tokens of each engine were computed at first, and 100 once more.
  assert.deepEqual(redundantLines(run), [
    'Redundant prefill: 300 tokens were computed again (200 after evictions, 100 after preemptions), 23.1 % of those computed.',
  ]);
  const { recomputed_tokens } = stackJson(run)['spillway'] as Record<string, object>;
  assert.deepEqual(recomputed_tokens, {
    ...{ after_preemption: 100, after_eviction: 200, share: 300 / 1300 },
  });
});
