// The alert on HBM comes before the first preemption: an engine fills slowly in a simulated replay, and promtool runs the rule on its
// KV cache utilization.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  alertRules,
  plainScope,
  promtoolTest,
  recordingRules,
  rulesFile,
} from '../../../src/core/observability/index.ts';
import { fleetOf, policyNamed, simulateFleet } from '../../../src/core/simulation/index.ts';
import { promtool } from './promtool.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-hbm-'));
after(() => rmSync(folder, { recursive: true }));

const blockTokens = 64;
/** KV cache of the engine, in tokens. */
const cacheTokens = 400_000;
const [promptTokens, outputTokens] = [1_000, 4_000];
const hours = 1.5;
/** Requests per second at the beginning, and how much more at the end. */
const [rateMin, rateGrowth] = [1, 0.2];
const scrapeSeconds = 30;
/** The rule's threshold, and how long it must hold. */
const [full, sustainedSeconds] = [0.92, 300];

/** Requests whose rate grows evenly, each with a prompt of its own. */
function risingTraffic(untilSeconds: number) {
  const requests = [];
  let unique = 0;
  for (let at = 0; at < untilSeconds; ) {
    const blocks = Math.ceil(promptTokens / blockTokens);
    requests.push({
      ...{ arrivalSeconds: at, promptTokens, outputTokens, session: String(unique) },
      blockIds: Array.from({ length: blocks }, () => unique++),
    });
    const perSecond = rateMin + (rateGrowth * at) / (hours * 3600);
    at += 1 / perSecond;
  }
  return requests;
}

function simulate(untilSeconds: number) {
  const engines = fleetOf({
    ...{ engines: 1, blockTokens, maxModelLen: 8_192 },
    cacheTraceBlocks: cacheTokens / blockTokens,
  });
  return simulateFleet({
    ...{ requests: risingTraffic(untilSeconds), engines, traceBlockTokens: blockTokens, seed: 1 },
    ...policyNamed('roundrobin', engines),
    keepSeries: true,
  });
}

test('in a replay in which an engine fills slowly, the alert on HBM fires before the first preemption', async (t) => {
  const whole = simulate(hours * 3600);
  assert.ok(whole.preemptions > 0, 'the engine preempts in the end');
  const usages = Array.from({ length: (hours * 3600) / scrapeSeconds }, (_, i) => {
    const sample = whole.series.findLast(({ atSeconds }) => atSeconds <= i * scrapeSeconds);
    return sample?.kvUsage[0] ?? 0;
  });
  const needed = sustainedSeconds / scrapeSeconds;
  const firesIndex = usages.findIndex(
    (_, i) => i >= needed && usages.slice(i - needed, i + 1).every((usage) => usage >= full),
  );
  assert.ok(firesIndex > 0, `no ${sustainedSeconds} s above ${full}`);
  const firesSeconds = firesIndex * scrapeSeconds;
  // What comes later cannot change what happened before.
  const before = simulate(firesSeconds);
  t.diagnostic(`the alert fires after ${firesSeconds} s; ${whole.preemptions} preemptions later`);
  assert.equal(before.preemptions, 0, `preempted before ${firesSeconds} s`);

  const options = { scope: plainScope, runbooks: 'r', comment: 'A test.' };
  const groups = [...recordingRules, ...alertRules];
  writeFileSync(join(folder, 'rules.yaml'), rulesFile(groups, options));
  const series = { 'vllm:kv_cache_usage_perc{instance="a"}': usages.map(String).join(' ') };
  const alertCase = {
    ...{ alert: 'VllmHbmPressure', name: 'a replay', interval: `${scrapeSeconds}s`, series },
    silentAt: [`${firesSeconds - 2 * scrapeSeconds}s`],
    firesAt: { [`${firesSeconds + scrapeSeconds}s`]: [{ instance: 'a' }] },
  };
  const text = promtoolTest({
    cases: { evaluation: '1m', cases: [alertCase] },
    ...{ groups, rulesFile: options, ruleFiles: ['rules.yaml'] },
  }).replace('evaluation_interval: 1m', `evaluation_interval: ${scrapeSeconds}s`);
  writeFileSync(join(folder, 'replay.yaml'), text);
  const { code, said } = await promtool('test', 'rules', join(folder, 'replay.yaml'));
  assert.equal(code, 0, said);
});
