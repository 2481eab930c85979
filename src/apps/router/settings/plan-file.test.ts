// Plans for the page: what `spillway plan --json` writes, and what is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readPlanFile } from './plan-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-plan-'));
after(() => rmSync(folder, { recursive: true }));

const estimate = { mean: 200, low: 100, high: 300 };
const plan = {
  sizing: { engines: 3 },
  impact: {
    planned: {
      ...{ ttftMs: estimate, tpotMs: { mean: null, low: null, high: null } },
      ...{ throughput: estimate, hitRate: { mean: 0.5, low: 0.4, high: 0.6 } },
      kvUseP99: { mean: 0.8, low: 0.7, high: 0.9 },
    },
  },
  gate: { max: 0.9 },
};

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('reads latencies in seconds, and leaves out those that no simulation had', async () => {
  const { planned, gateMax } = await readPlanFile(written('plan.json', JSON.stringify(plan)));
  assert.equal(gateMax, 0.9);
  assert.deepEqual(planned, {
    ttftSeconds: { mean: 0.2, low: 0.1, high: 0.3 },
    tpotSeconds: null,
    tokensPerSecond: estimate,
    hitRate: plan.impact.planned.hitRate,
    kvUsageP99: plan.impact.planned.kvUseP99,
    engines: { mean: 3, low: 3, high: 3 },
  });
});

test('refuses a file that is missing, is no JSON or no plan, in one sentence', async () => {
  await assert.rejects(readPlanFile(join(folder, 'none')), {
    code: 'ERR_INPUT',
    message: /^--plan .*none: no such file or folder; check the path\.$/,
  });
  await assert.rejects(
    readPlanFile(written('text', 'no JSON')),
    /^InputError: --plan .*text is not JSON: Unexpected.*\. Write it with "spillway plan --json"\.$/,
  );
  await assert.rejects(
    readPlanFile(written('other.json', '{"sizing":{"engines":2}}')),
    /is no plan: impact: .*\. Write it with "spillway plan --json"\.$/,
  );
});
