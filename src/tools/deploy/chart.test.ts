// What Helm is given of a chart whose subcharts are missing.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { prepareChart } from './chart.ts';

test('a folder that a failed "helm dependency build" left is no folder of subcharts', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-chart-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [chart, scratch] = [join(folder, 'own'), join(folder, 'scratch')];
  for (const made of [join(chart, 'charts'), scratch]) mkdirSync(made, { recursive: true });
  const dependencies =
    '[{name: graphs, version: 1, repository: "https://x", condition: graphs.on}]';
  writeFileSync(
    join(chart, 'Chart.yaml'),
    `name: own\nversion: 1\ndependencies: ${dependencies}\n`,
  );
  const fetched: (readonly string[])[] = [];
  const helm = { run: async (args: readonly string[]) => void fetched.push(args) } as never;
  const prepared = (values: object) => prepareChart({ chart, values, scratch, helm });
  const copy = await prepared({});
  assert.notEqual(copy, chart);
  assert.match(readFileSync(join(copy, 'Chart.yaml'), 'utf8'), /dependencies: \[\]/);
  assert.equal(existsSync(join(copy, 'charts')), false);
  await prepared({ graphs: { on: true } });
  assert.deepEqual(fetched, [['dependency', 'update', copy]]);
  writeFileSync(join(chart, 'charts', 'graphs-1.tgz'), '');
  assert.equal(await prepared({}), chart);
});
