// Checks the rules and queries of `spillway plan` with Prometheus' own programs.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  hbmAlerts,
  plainScope,
  promtoolTest,
  rulesFile,
} from '../../../src/core/observability/index.ts';
import { defaultThresholds } from '../../../src/core/values/index.ts';
import { type Backfill, backfilledPrometheus } from './backfilled-prometheus.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-lane-'));
after(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

function run(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 64 << 20, timeout: 100_000 }, (error, out, errors) =>
      resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
  });
}

const plan = (...args: string[]) => run(process.execPath, ['src/cli/main.ts', 'plan', ...args]);

const small = [
  ...['--prompt-tokens', '3000', '--output-tokens', '50', '--concurrency', '12'],
  ...['--prefix-reuse', 'rag', '--prefix-groups', '6', '--engines', '2', '--gpu', 'H100'],
  ...['--model', 'Qwen3-8B', '--kubernetes', 'true', '--host-dram-gib', '64'],
];

test('promtool accepts the rules that plan --rules writes, with its figures as series', async () => {
  const file = join(directory, 'rules.yaml');
  const { code } = await plan(...small, '--rules', file);
  assert.equal(code, 0);
  const checked = await run('promtool', ['check', 'rules', file]);
  assert.equal(checked.code, 0, checked.out + checked.errors);
  // Nine figures with two bounds each, the two series of the gate, three alerts.
  assert.match(checked.out, /SUCCESS: 32 rules found/);
});

for (const thresholds of [
  defaultThresholds,
  { ...defaultThresholds, hbmUtilization: 0.85, hbmSustainedSeconds: 90 },
]) {
  const { hbmUtilization, hbmSustainedSeconds } = thresholds;
  test(`the alert at ${hbmUtilization} fires after ${hbmSustainedSeconds} s, not before and not below`, async () => {
    const name = `${hbmSustainedSeconds}`;
    const rules = join(directory, `rules-${name}.yaml`);
    const unit = join(directory, `test-${name}.yaml`);
    const options = { scope: plainScope, runbooks: 'alerts.md' };
    const write = (limit: number) =>
      writeFileSync(
        rules,
        rulesFile([hbmAlerts({ ...thresholds, hbmUtilization: limit })], {
          ...{ ...options, comment: 'A test.' },
        }),
      );
    const minutes = Math.ceil(hbmSustainedSeconds / 60);
    const usage = (instance: string) => `vllm:kv_cache_usage_perc{instance="${instance}"}`;
    writeFileSync(
      unit,
      promtoolTest({
        cases: {
          evaluation: '1m',
          cases: [
            {
              ...{ alert: 'VllmHbmPressure', name: 'at the threshold and below' },
              series: {
                [usage('hot')]: `${hbmUtilization}x${minutes + 5}`,
                [usage('cool')]: `${Number((hbmUtilization - 0.01).toFixed(4))}x${minutes + 5}`,
              },
              silentAt: [`${minutes - 1}m`],
              firesAt: { [`${minutes + 1}m`]: [{ instance: 'hot' }] },
            },
          ],
        },
        ...{ groups: [hbmAlerts(thresholds)], rulesFile: options },
        ruleFiles: [`rules-${name}.yaml`],
      }),
    );
    write(hbmUtilization);
    const tested = await run('promtool', ['test', 'rules', unit]);
    assert.equal(tested.code, 0, tested.out + tested.errors);
    // The test can fail: with an alert that has a higher threshold.
    write(hbmUtilization + 0.02);
    assert.notEqual((await run('promtool', ['test', 'rules', unit])).code, 0);
  });
}

const intervalSeconds = 15;
const hour = 3600;
const samples = (2 * hour) / intervalSeconds;
/** The window of plan ends now: the last sample is a few seconds old. */
const end = Math.floor(Date.now() / 1000) - 5;
const engines = ['a:8000', 'b:8000'];

/**
 * Two engines with 2 requests/s each: 3,000 prompt and 250 output tokens per request, 60 % of them
 * cached.
 */
const perSecond: Readonly<Record<string, number>> = {
  'vllm:request_success_total': 2,
  'vllm:prompt_tokens_total': 6000,
  'vllm:generation_tokens_total': 500,
  'vllm:prefix_cache_queries_total': 6000,
  'vllm:prefix_cache_hits_total': 3600,
  'vllm:num_preemptions_total': 0.05,
};
const gauges: Readonly<Record<string, (index: number) => number>> = {
  // A peak of a few minutes, half an hour before the end.
  'vllm:num_requests_running': (index) => (index > 350 && index < 380 ? 30 : 18),
  'vllm:num_requests_waiting': () => 2,
  'vllm:kv_cache_usage_perc': () => 0.6,
};
const series: Backfill[] = engines.flatMap((instance) => {
  const labels = { fleet: 'chat', instance, engine: '0', model_name: 'Qwen/Qwen3-8B' };
  return [
    ...Object.entries(perSecond).map(([metric, rate]) => ({
      ...{ metric, labels },
      // Engine b restarted an hour and a half ago: its counters were reset.
      valueAt: (index: number) =>
        rate * intervalSeconds * (instance === 'b:8000' && index > 120 ? index - 120 : index),
    })),
    ...Object.entries(gauges).map(([metric, valueAt]) => ({ metric, labels, valueAt })),
  ];
});

let prometheus: Awaited<ReturnType<typeof backfilledPrometheus>>;
before(async () => {
  prometheus = await backfilledPrometheus({
    ...{ series, intervalSeconds, samples },
    start: end - samples * intervalSeconds,
  });
});
after(() => prometheus.close());

test('plan --from-prometheus reads lengths, rate, preemptions, hits and the peak of a running fleet', async () => {
  const { code, out, errors } = await plan(
    ...['--from-prometheus', prometheus.url, '--selector', 'fleet="chat"', '--window', '1h'],
    ...['--gpu', 'H100', '--kubernetes', 'true', '--json'],
  );
  assert.deepEqual([code, errors], [0, '']);
  const { facts, assumptions } = JSON.parse(out) as {
    facts: Record<string, unknown>;
    assumptions: { key: string; value: string; because: string }[];
  };
  const near = (name: string, is: number, should: number, within = 0.03) =>
    assert.ok(Math.abs(is / should - 1) < within, `${name}: ${is}, not ${should}`);
  near('prompt', facts['promptTokens'] as number, 3000);
  near('peak', facts['concurrency'] as number, 64);
  near('preemptions', facts['preemptionsPerMinute'] as number, 6);
  near('shared', facts['sharedPrefixTokens'] as number, 1800);
  assert.deepEqual([facts['engines'], facts['prefixReuse']], [2, 'system-prompt']);
  const measured = new Map(assumptions.map(({ key, value }) => [key, value]));
  near('output', Number(measured.get('workload.outputTokens')), 250);
  near('rate', Number(measured.get('workload.requestsPerSecond')), 4);
  assert.equal(measured.get('fleet.model'), 'Qwen/Qwen3-8B');
  assert.ok(assumptions.some(({ because }) => because === 'measured over 1 h'));
});

test('flags take precedence over measurements', async () => {
  const { out } = await plan(
    ...['--from-prometheus', prometheus.url, '--prompt-tokens', '5000', '--gpu', 'H100'],
    ...['--kubernetes', 'true', '--json'],
  );
  assert.equal(JSON.parse(out).facts.promptTokens, 5000);
});

test('a selector that matches nothing exits with 4 and says so', async () => {
  const { code, errors } = await plan(
    ...['--from-prometheus', prometheus.url, '--selector', 'fleet="none"'],
  );
  assert.equal(code, 4);
  assert.match(errors, /has no vLLM engine with fleet="none"/);
});
