// `simulate -f`: stacks from values files under traces and workloads.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { type OffloadChoice, simulateStack, stackJson, stackPage, stackTable } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-stack-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const valuesText = `
servingEngineSpec:
  modelSpec:
    - name: qwen
      modelURL: Qwen/Qwen3-8B
      gpu: H100-80GB
      replicaCount: 2
      vllmConfig: { enablePrefixCaching: true, numGpuBlocksOverride: 2000, maxModelLen: 16384 }
routerSpec: { routingLogic: predictive }
`;
const valuesOf = (text: string, sets: readonly string[] = []) =>
  resolveValues({ files: [{ name: 'v.yaml', text }], sets }).values;

const base = {
  speed: 1,
  seed: 1,
  failures: [],
  percentiles: [50, 90],
  values: valuesOf(valuesText),
};
const shared = file(
  'shared.yaml',
  `kind: shared-prefix
groups: 12
promptsPerGroup: 4
systemPrompt: 6000
question: 200
answer: 64
arrivals: { process: poisson, rate: 4 }
`,
);

const host = (gibibytes: number) =>
  valuesOf(valuesText, [
    `servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--kv-offloading-size=${gibibytes}}`,
  ]);

test('a workload gives the same result each time, and another with another seed', async () => {
  const run = await simulateStack({ ...base, workload: shared });
  const json = stackJson(run);
  assert.equal(json['completed'], 48);
  const { mean_kv_usage: usage } = json['spillway'] as { mean_kv_usage: number };
  assert.ok(usage > 0.05 && usage < 1, `${usage}`);
  assert.equal(run.engines.length, 2);
  assert.equal(run.engines[0]?.config.numGpuBlocks, 2000);
  assert.deepEqual(json, stackJson(await simulateStack({ ...base, workload: shared })));
  assert.notDeepEqual(json, stackJson(await simulateStack({ ...base, workload: shared, seed: 2 })));
  assert.match(stackTable(run), /^STABLE: engines busy.*\n.*KV cache 31,984 tokens; no offload/);
});

test('replicas of the router are simulated, each with its own load counts unless they are peers', async () => {
  const run = async (...sets: string[]) => {
    const values = valuesOf(
      valuesText,
      sets.map((set) => `routerSpec.${set}`),
    );
    const result = await simulateStack({ ...base, workload: shared, values });
    return { table: stackTable(result), hitRate: stackJson(result)['hit_rate'] as number };
  };
  const one = await run();
  const separate = await run('replicaCount=3');
  const peers = await run('replicaCount=3', 'routerPeers={http://routers:8001}');
  assert.match(one.table, /^predictive: hit rate/m);
  assert.match(
    separate.table,
    /^predictive in 3 routers that only know their own requests: hit rate/m,
  );
  assert.match(peers.table, /^predictive in 3 routers that share what they send: hit rate/m);
  assert.ok(
    peers.hitRate > separate.hitRate + 0.05,
    `${peers.hitRate} of peers, ${separate.hitRate}`,
  );
  assert.ok(Math.abs(peers.hitRate - one.hitRate) < 0.05, `${peers.hitRate}, alone ${one.hitRate}`);
});

test('a policy parameter in the values reaches the policy, and an unused one is noted', async () => {
  const run = (policy: string, ...sets: string[]) =>
    simulateStack({
      ...{ ...base, workload: shared },
      values: valuesOf(
        valuesText.replace('predictive', policy),
        sets.map((set) => `routerSpec.${set}`),
      ),
    });
  const strict = 'prefixMinMatchLength=1000000';
  const [plain, parameterised, misplaced] = [
    await run('prefixaware'),
    await run('prefixaware', strict),
    await run('roundrobin', strict),
  ];
  assert.ok(parameterised.result.hitRate < plain.result.hitRate);
  assert.deepEqual([plain.notes, parameterised.notes], [[], []]);
  assert.deepEqual(misplaced.notes, [
    'routerSpec.prefixMinMatchLength has no effect: it is a parameter of prefixaware, and routerSpec.routingLogic is roundrobin.',
  ]);
});

test('host memory below HBM serves blocks that HBM has evicted', async () => {
  const without = await simulateStack({ ...base, workload: shared });
  const run = await simulateStack({ ...base, workload: shared, values: host(40) });
  const json = stackJson(run) as { hit_rate: number; external_hit_rate: number };
  assert.ok(json.external_hit_rate > 0, 'host memory is hit');
  assert.ok(json.hit_rate > (stackJson(without)['hit_rate'] as number));
  assert.match(stackTable(run), /native, 40\.0 GiB of host memory/);
});

const lmcache = (more: readonly string[] = []) =>
  valuesOf(valuesText.replace('predictive', 'roundrobin'), [
    'servingEngineSpec.modelSpec[0].lmcacheConfig.enabled=true',
    'servingEngineSpec.modelSpec[0].lmcacheConfig.cpuOffloadingBufferSize=4',
    ...more,
  ]);

test('a shared store serves blocks that other engines computed; its loss costs only its hits', async () => {
  const share = async (values: typeof base.values, more: object = {}) => {
    const run = await simulateStack({ ...base, workload: shared, values, ...more });
    assert.equal(run.report.completed, 48);
    return stackJson(run)['hit_rate'] as number;
  };
  const withStore = lmcache(['cacheserverSpec.enabled=true', 'cacheserverSpec.linkGbps=100']);
  const alone = await share(lmcache());
  const together = await share(withStore);
  const lost = await share(withStore, { outage: { fromSeconds: 0, untilSeconds: 1e9 } });
  assert.ok(together > alone + 0.1, `${together} with a store, ${alone} without`);
  assert.ok(Math.abs(lost - alone) < 0.02, `${lost} without the store, ${alone}`);
});

test('an object store keeps blocks for which the store above it has no space', async () => {
  const share = async (sets: readonly string[]) => {
    const run = await simulateStack({ ...base, workload: shared, values: lmcache(sets) });
    assert.equal(run.report.completed, 48);
    return { hits: stackJson(run)['hit_rate'] as number, offload: run.engines[0]?.offload };
  };
  const small = ['cacheserverSpec.enabled=true', 'cacheserverSpec.capacityGB=1'];
  const fast = [
    'cacheserverSpec.objectStore.enabled=true',
    'cacheserverSpec.objectStore.latencyMs=5',
  ];
  const alone = await share(small);
  const both = await share([...small, ...fast]);
  assert.ok(both.hits > alone.hits + 0.05, `${both.hits} with, ${alone.hits} without`);
  assert.match(both.offload ?? '', /a shared store, an object store$/);
  const direct = await share(fast);
  assert.match(direct.offload ?? '', /host memory, an object store$/);
  assert.ok(direct.hits > alone.hits);
});

const offloading = (extra: object, sets: readonly string[] = []) => {
  const transfer = JSON.stringify({
    kv_connector: 'OffloadingConnector',
    kv_role: 'kv_both',
    kv_connector_extra_config: { spec_name: 'TieringOffloadingSpec', ...extra },
  });
  const values = valuesText
    .replace('predictive', 'roundrobin')
    .replace('vllmConfig: {', `vllmConfig: { extraArgs: [--kv-transfer-config, '${transfer}'],`);
  return valuesOf(values, sets);
};

test('vLLM’s secondary tiers are below its host memory, and engines share a remote tier', async () => {
  const hits = async (tiers: readonly object[]) => {
    const values = offloading({ cpu_bytes_to_use: 2 ** 30, secondary_tiers: tiers });
    const run = await simulateStack({ ...base, workload: shared, values });
    assert.equal(run.report.completed, 48);
    return stackJson(run)['hit_rate'] as number;
  };
  const none = await hits([]);
  const own = await hits([{ type: 'fs', root_dir: '/kv' }]);
  const remote = await hits([{ type: 'fs', root_dir: '/kv', locality: 'REMOTE' }]);
  assert.ok(own > none && remote > own, `${none}, ${own}, ${remote}`);
  await assert.rejects(hits([{ type: 'p2p' }]), /secondary tier "p2p" is not simulated/);
});

test('the values set the time that offloading adds to each step', async () => {
  const tpot = async (sets: readonly string[]) => {
    const values = offloading({ cpu_bytes_to_use: 2 ** 30 }, sets);
    const run = await simulateStack({ ...base, workload: shared, values });
    return run.report.fromSent.tpot?.mean ?? 0;
  };
  const entry = 'servingEngineSpec.modelSpec[0].kvTiers';
  assert.ok((await tpot([`${entry}.stepMs=5`])) > (await tpot([])) + 4);
  const choosy = [`${entry}.load=cheaper`, `${entry}.hostGBps=0.001`];
  const run = await simulateStack({
    ...{ ...base, workload: shared },
    values: offloading({ cpu_bytes_to_use: 2 ** 34 }, choosy),
  });
  assert.equal((stackJson(run) as { external_hit_rate: number }).external_hit_rate, 0);
});

test('where everything fits in HBM, offload costs what was measured, unless stepMs is set', async () => {
  const tpotMs = async (offload: OffloadChoice, sets: readonly string[] = []) => {
    const values = valuesOf(valuesText, sets);
    const workloadSets = ['groups=2', 'promptsPerGroup=16'];
    const run = await simulateStack({ ...base, workload: shared, values, offload, workloadSets });
    return run.report.fromSent.tpot?.mean ?? 0;
  };
  const hostBytes = 2 ** 33;
  const none = await tpotMs({ kind: 'none', hostBytes });
  const loss = async (kind: 'native' | 'lmcache') => (await tpotMs({ kind, hostBytes })) / none - 1;
  // 1.5 and 2.6 % in llm-d's experiment with steps of 19 ms, 3 to 5 % as a rule of thumb; steps are shorter here.
  const [native, shop] = [await loss('native'), await loss('lmcache')];
  assert.ok(native > 0.01 && native < 0.05, `${native}`);
  assert.ok(shop > native && shop < 0.08, `${shop}`);
  const free = ['servingEngineSpec.modelSpec[0].kvTiers.stepMs=0'];
  const native0 = await tpotMs({ kind: 'native', hostBytes }, free);
  assert.ok(Math.abs(native0 / none - 1) < 0.005, `${native0} and ${none}`);
});

test('LoRA traffic waits for a place in the step where an engine runs fewer adapters at once', async () => {
  const workload = file(
    'lora.yaml',
    'kind: lora\nadapters: 8\nsystemPrompt: 1000\nquestion: 100\nanswer: 64\nrequests: 120\narrivals: { clients: 32 }\n',
  );
  const ttft = async (maxLoras: number) => {
    const entry = 'servingEngineSpec.modelSpec[0]';
    const sets = [`${entry}.enableLoRA=true`, `${entry}.vllmConfig.maxLoras=${maxLoras}`];
    const run = await simulateStack({ ...base, workload, values: valuesOf(valuesText, sets) });
    assert.equal(run.report.completed, 120);
    return run.report.fromSent.ttft?.mean ?? 0;
  };
  const [one, eight] = [await ttft(1), await ttft(8)];
  assert.ok(one > 2 * eight, `${one} and ${eight} s`);
});

test('a store slower than prefill makes requests wait longer than no store', async () => {
  const ttft = async (sets: readonly string[], offload?: OffloadChoice) => {
    const run = await simulateStack({ ...base, workload: shared, values: lmcache(sets), offload });
    return run.report.fromSent.ttft?.mean ?? 0;
  };
  const slow = ['cacheserverSpec.enabled=true', 'cacheserverSpec.linkGbps=1'];
  const none = await ttft([], { kind: 'none', hostBytes: 0 });
  assert.ok((await ttft(slow)) > 2 * none);
});

test('LMCache without a disk does not name one', async () => {
  const values = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].lmcacheConfig.enabled=true',
    'servingEngineSpec.modelSpec[0].lmcacheConfig.cpuOffloadingBufferSize=10',
  ]);
  const { engines } = await simulateStack({ ...base, workload: shared, values });
  assert.match(engines[0]?.offload ?? '', /^LMCache, .* of host memory$/);
});

test('LMCache has the host memory and the disk of the values, in the same unit', async () => {
  const values = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].lmcacheConfig.enabled=true',
    'servingEngineSpec.modelSpec[0].lmcacheConfig.cpuOffloadingBufferSize=10',
    'servingEngineSpec.modelSpec[0].lmcacheConfig.diskOffloadingBufferSize=20',
  ]);
  const { result, engines } = await simulateStack({ ...base, workload: shared, values });
  assert.match(engines[0]?.offload ?? '', /^LMCache, .* of host memory, .* of disk$/);
  const tiers = result.engines[0]?.tiers?.tiers ?? [];
  const chunks = (name: string) => tiers.find((tier) => tier.name === name)?.chunksMax ?? 0;
  // 256 tokens of 147,456 bytes.
  assert.ok(Math.abs(chunks('cpu') / (10e9 / (256 * 147_456)) - 1) < 0.08, `${chunks('cpu')}`);
  assert.ok([0, 1].includes(chunks('disk') - 2 * chunks('cpu')), `${chunks('disk')}`);
});

test('the offload is described with its condition for loads', async () => {
  const values = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--kv-offloading-size=8}',
    'servingEngineSpec.modelSpec[0].kvTiers.load=cheaper',
  ]);
  const { engines } = await simulateStack({ ...base, workload: shared, values });
  assert.match(engines[0]?.offload ?? '', /, loaded where that is cheaper$/);
});

test('an offload given by flag overrides the values', async () => {
  const gibibyte = 2 ** 30;
  const of = async (offload: OffloadChoice | undefined) => {
    const run = await simulateStack({ ...base, workload: shared, values: lmcache(), offload });
    return run.engines[0]?.offload;
  };
  assert.equal(await of(undefined), 'LMCache, 4.0 GiB of host memory');
  assert.equal(await of({ kind: 'none', hostBytes: 0 }), undefined);
  assert.match((await of({ kind: 'native', hostBytes: 9 * gibibyte })) ?? '', /^native, 9\.0 GiB/);
  assert.match((await of({ kind: 'lmcache', hostBytes: gibibyte })) ?? '', /^LMCache, 1\.0 GiB/);
});

test('--profile replaces the step times of every engine', async () => {
  const profile = 'bench/data/vllm-runs/profile/RTX4090_Llama-3.1-8B_tp1';
  const values = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].modelURL=meta-llama/Llama-3.1-8B',
    'servingEngineSpec.modelSpec[0].gpu=RTX4090',
    'servingEngineSpec.modelSpec[0].vllmConfig.numGpuBlocksOverride=1100',
  ]);
  const load = { systemPrompt: 600, question: 50, answer: 8 };
  const workloadSets = Object.entries(load).map(([key, value]) => `${key}=${value}`);
  const more = { ...base, values, workload: shared, workloadSets };
  const [measured, roofline] = [
    await simulateStack({ ...more, profile }),
    await simulateStack(more),
  ];
  const tpot = (run: typeof measured) => run.report.fromSent.tpot?.mean as number;
  assert.ok(Math.abs(tpot(measured) / tpot(roofline) - 1) > 0.005, 'the profile counts');
  assert.ok(Math.abs(tpot(measured) / tpot(roofline) - 1) < 0.5, 'both are an RTX 4090');
  await assert.rejects(
    simulateStack({ ...more, profile: join(directory, 'none') }),
    /Cannot read the profile directory .*none: no such file/,
  );
});

test('traffic beyond the engines’ capacity is OVERLOADED, and the table warns about its latencies', async () => {
  const flood = file(
    'flood.yaml',
    'kind: single\nprompt: 8000\nanswer: 200\nrequests: 150\narrivals: { process: poisson, rate: 60 }\n',
  );
  const run = await simulateStack({ ...base, workload: flood });
  assert.equal(run.verdict, 'OVERLOADED');
  assert.match(stackTable(run), /latencies depend on the length/);
  const page = stackPage(run, 'spillway simulate');
  assert.match(page, /<b>OVERLOADED<\/b>/);
});

test('a closed loop has no more requests than clients, and is neither stable nor overloaded', async () => {
  const closed = file(
    'closed.yaml',
    'kind: single\nprompt: 3000\nanswer: 50\nrequests: 60\narrivals: { clients: 5 }\n',
  );
  const run = await simulateStack({ ...base, workload: closed });
  assert.equal(run.verdict, 'CLOSED LOOP');
  assert.ok(run.report.peakConcurrency <= 5, `${run.report.peakConcurrency}`);
  assert.equal(stackJson(run)['max_concurrency'], 5);
  assert.match(
    stackTable(run),
    /workload: 60 requests of 5 sessions, each of 5 clients sends one when its previous response is complete\n/,
  );
  assert.match(
    stackTable(run),
    /\n {2}clients start within 0\.04 s; (latencies are steady from|no steady state is found)/,
  );
});

test('requests that all come at once have no rate and no gaps', async () => {
  const trace = file(
    'at-once.jsonl',
    '{"timestamp":0,"input_length":600,"output_length":8,"hash_ids":[1,2]}\n'.repeat(3),
  );
  const run = await simulateStack({ ...base, trace });
  assert.match(stackTable(run), /workload: 3 requests of .*, all at once\n/);
  const { workload } = stackJson(run)['spillway'] as { workload: Record<string, unknown> };
  assert.deepEqual([workload['rate'], workload['gap_cv']], [null, null]);
});

test('tokens restored to preempted requests are counted separately from hits of prompts', async () => {
  const long = file(
    'long.yaml',
    'kind: single\nprompt: 4000\nanswer: 3000\nrequests: 12\narrivals: { clients: 12 }\n',
  );
  const sets = ['servingEngineSpec.modelSpec[0].replicaCount=1'];
  const flags = ['servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--kv-offloading-size=20}'];
  const run = (more: string[]) =>
    simulateStack({ ...base, values: valuesOf(valuesText, [...sets, ...more]), workload: long });
  const [without, offloaded] = [await run([]), await run(flags)];
  const restored = offloaded.result.engines[0]?.restoredTokens ?? 0;
  assert.ok(without.result.preemptions > 0 && restored > 4000, `${restored}`);
  assert.equal(without.result.engines[0]?.restoredTokens, 0);
  assert.equal(offloaded.result.engines[0]?.externalTokens, 0);
  assert.match(stackTable(offloaded), /After preemptions [\d,]+ tokens were loaded from tiers/);
  assert.doesNotMatch(stackTable(without), /After preemptions/);
});

test('requests beyond the context are refused, as in vLLM, and counted', async () => {
  const trace = 'bench/data/mooncake-conversation.jsonl.gz';
  const run = await simulateStack({ ...base, trace, requests: 60 });
  assert.ok(run.refused > 0 && run.refused < 60);
  assert.equal(run.report.completed + run.refused, 60);
  assert.match(stackTable(run), /requests were refused as longer than the engines' context/);
});

test('the page has no external resources, and shows all charts', async () => {
  const run = await simulateStack({ ...base, workload: shared });
  const page = stackPage(run, 'spillway simulate -f <v>.yaml');
  assert.doesNotMatch(page, /(src|href)=|url\(|@import|https?:/);
  assert.equal(page.match(/<svg /g)?.length, 6);
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
  assert.match(page, /spillway simulate -f &lt;v&gt;\.yaml/);
});

test('an engine that fails during a run loses no request without a token', async () => {
  const { result } = await simulateStack({ ...base, workload: shared });
  const [engine, arrival] = [result.engineOf[20] ?? 0, result.arrivalSeconds[20] ?? 0];
  const failures = [{ engine, atSeconds: arrival + 0.001, seconds: 2 }];
  const run = await simulateStack({ ...base, workload: shared, failures });
  assert.equal(run.report.completed + run.result.failed.reduce((a, b) => a + b, 0), 48);
  assert.notEqual(run.result.engineOf[20], engine);
  assert.equal(run.result.failed[20], 0);
  assert.match(
    stackTable(run),
    /requests? (was|were) lost with an engine, [1-9]\d* (was|were) retried on another/,
  );
});

test('values that cannot be simulated are refused with one sentence', async () => {
  const refused = async (options: object, message: RegExp) =>
    assert.rejects(simulateStack({ ...base, workload: shared, ...options }), (error) => {
      assert.ok(error instanceof InputError, String(error));
      assert.match(error.message, message);
      return true;
    });
  const url = valuesText.replace('gpu: H100-80GB', 'urls: [http://127.0.0.1:9]');
  await refused({ values: valuesOf(url) }, /"qwen" is an engine at a URL/);
  await refused({ values: valuesOf('routerSpec: {}') }, /no engine to simulate/);
  await refused({ model: 'other' }, /No engine .* serves other; they serve Qwen/);
  await refused({ failures: [{ engine: 2, atSeconds: 1, seconds: 1 }] }, /engines 0 to 1/);
  await refused({ workload: join(directory, 'none.yaml') }, /none\.yaml: no such file/);
  await refused(
    { values: host(40), workload: file('bad.yaml', 'kind: rag') },
    /bad\.yaml:1:1: documents is missing/,
  );
  const two = valuesOf(`servingEngineSpec:
  modelSpec:
    - { name: a, modelURL: Qwen/Qwen3-8B, gpu: H100, vllmConfig: { blockSize: 16 } }
    - { name: b, modelURL: Qwen/Qwen3-8B, gpu: H100, vllmConfig: { blockSize: 24 } }
    - { name: c, gpu: H100 }
    - { name: d, enabled: false, modelURL: Qwen/Qwen3-4B }
`);
  await refused(
    { values: two, model: 'Qwen/Qwen3-8B' },
    /blocks of 16 and 24 tokens; give them the same/,
  );
  await refused({ values: two }, /serve Qwen\/Qwen3-8B and c; select the model of the requests/);
  const named = valuesOf(
    'servingEngineSpec: { modelSpec: [{ name: a, gpu: H100 }, { name: b, gpu: H100 }] }',
  );
  await refused({ values: named }, /serve a and b; select the model of the requests/);
  const profiled = valuesOf(valuesText, [
    `servingEngineSpec.modelSpec[0].profile=${join(directory, 'no-profile.json')}`,
  ]);
  await refused({ values: profiled }, /no-profile\.json/);
  await refused({ values: two, model: 'a', workload: undefined }, /needs --trace or --workload/);
  const both = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--kv-offloading-size=1}',
    'servingEngineSpec.modelSpec[0].lmcacheConfig.enabled=true',
  ]);
  await refused({ values: both }, /qwen requests native offload .* and LMCache .*remove one/);
  const backend = valuesOf(valuesText, [
    'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--kv-offloading-backend,lmcache}',
  ]);
  await refused({ values: backend }, /--kv-offloading-backend lmcache is not simulated/);
});

test('lengths can be fitted to a trace next to the workload', async () => {
  const rows = [100, 200, 300].map((tokens, i) =>
    JSON.stringify({
      ...{ timestamp: i, input_length: tokens, output_length: 5 },
      hash_ids: Array.from({ length: Math.ceil(tokens / 16) }, (_, block) => 100 * i + block),
    }),
  );
  file('lengths.jsonl', rows.join('\n'));
  const workload = file(
    'fitted.yaml',
    'kind: single\nprompt: { trace: lengths.jsonl, of: prompt }\nanswer: 5\nrequests: 400\narrivals: { process: constant, rate: 20 }\n',
  );
  const { workload: stats } = await simulateStack({ ...base, workload });
  assert.ok(Math.abs(stats.prompt.mean - 200) < 10, `${stats.prompt.mean}`);
  assert.ok(stats.prompt.max <= 300);
});

test('the files of the guide to offloading are valid, and show what the guide says', async () => {
  const guide = 'docs/guide/kv-offload';
  const values = valuesOf(readFileSync(`${guide}/values.yaml`, 'utf8'));
  const workload = `${guide}/shared.yaml`;
  const play = (offload: OffloadChoice, groups: number, seed = 1) =>
    simulateStack({ ...base, seed, values, workload, offload, workloadSets: [`groups=${groups}`] });
  const none = { kind: 'none', hostBytes: 0 } as const;
  const native = { kind: 'native', hostBytes: 60 * 2 ** 30 } as const;
  const rate = async (offload: OffloadChoice, groups: number, seed = 1) => {
    const { report } = await play(offload, groups, seed);
    return report.outputTokens / report.durationSeconds;
  };
  // Where everything fits, offload costs 1 to 5 %.
  const kept = (await rate(native, 12)) / (await rate(none, 12));
  assert.ok(kept > 0.95 && kept < 0.995, `${kept}`);
  // Beyond, it gains in the mean: which engine a group meets first is worth −7 to +39 %.
  let gain = 0;
  for (const seed of [1, 2, 3]) {
    gain += ((await rate(native, 36, seed)) / (await rate(none, 36, seed)) - 1) / 3;
  }
  assert.ok(gain > 0.03, `${gain}`);
  const tenants = await simulateStack({
    ...base,
    values,
    workload: `${guide}/tenants.yaml`,
    offload: native,
    requests: 40,
  });
  assert.equal(tenants.report.completed, 40);
});
