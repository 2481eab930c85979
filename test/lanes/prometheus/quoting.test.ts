// Prometheus finds the series whose label has a hostile text by the matcher that is written for it, and no other one.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { promqlMatcher } from '../../../src/core/quoting/index.ts';
import { hostileTexts } from '../../support/hostile-texts.ts';
import { promtool } from './promtool.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-quoting-'));
after(() => rmSync(folder, { recursive: true }));

test('a matcher selects the series with its text, and no other one', async () => {
  const series = hostileTexts.map((text) => `m{${promqlMatcher('a', text)}}`);
  const tests = {
    rule_files: [],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: series.map((one, i) => ({ series: one, values: `${i}` })),
        promql_expr_test: series.map((one, i) => ({
          ...{ expr: one, eval_time: '0m', exp_samples: [{ labels: one, value: i }] },
        })),
      },
    ],
  };
  const file = join(folder, 'tests.yaml');
  writeFileSync(file, stringify(tests));
  const { code, said } = await promtool('test', 'rules', file);
  assert.equal(code, 0, said);
});
