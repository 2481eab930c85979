// Helm accepts the values file of each worked plan: the chart's schema, its templates, and what they require.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { decidePlan, planValues } from '../../../src/tools/plan/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-helm-'));
after(() => rmSync(directory, { recursive: true }));
const chart = join(directory, 'chart');
const { HELM = 'helm', CHART = '' } = process.env;

/** The chart without its subcharts, which would have to be downloaded. */
before(() => {
  cpSync(CHART, chart, { recursive: true });
  const file = join(chart, 'Chart.yaml');
  const [own = ''] = readFileSync(file, 'utf8').split(/^dependencies:/m);
  writeFileSync(file, own);
  rmSync(join(chart, 'Chart.lock'), { force: true });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

async function rendered(text: string): Promise<readonly Manifest[]> {
  const file = join(directory, 'values.yaml');
  writeFileSync(file, text);
  const { stdout } = await promisify(execFile)(
    HELM,
    ['template', 'my-stack', chart, '--values', file],
    { timeout: 60_000, maxBuffer: 16 << 20 },
  );
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() ?? []) as Manifest);
}

const cases = 'docs/guide/plan/cases';

for (const name of readdirSync(cases).filter((file) => /^\d\d-/.test(file))) {
  test(`helm renders the values file of ${name}`, async () => {
    const plan = await decidePlan({
      ...{ file: join(cases, name), overrides: [], trace: undefined, prometheus: undefined },
      seed: 1,
    });
    const manifests = await rendered(planValues(plan));
    const count = (kind: string) => manifests.filter((one) => one.kind === kind).length;
    // The engines, the router and, with LMCache, its server.
    assert.equal(count('Deployment'), plan.decision.kvOffload === 'lmcache' ? 3 : 2);
    assert.equal(count('ServiceMonitor'), plan.decision.stack === 'single-engine' ? 0 : 2);
  });
}
