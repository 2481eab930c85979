// Helm accepts the values file of each worked plan: the chart's schema, its templates, and what they require.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { decidePlan, planValues } from '../../../src/tools/plan/index.ts';
import { chart as spillwayChart, upstreamChart } from '../chart/helm.ts';
import { faultsOf } from '../chart/rendered-objects.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-helm-'));
after(() => rmSync(directory, { recursive: true }));
const { HELM = 'helm' } = process.env;
const schema = 'src/tools/plan/fixtures/production-stack-values.schema.json';
const chart = upstreamChart();

before(() => {
  cpSync(schema, join(chart, 'values.schema.json'));
  // A checkout has one, which keeps the schema out of Helm's sight.
  rmSync(join(chart, '.helmignore'), { force: true });
});

interface Container {
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: { readonly spec: { readonly containers: Container[] } } };
}

/** The command line of a deployment's first container. */
function commandOf(manifests: readonly Manifest[], name: RegExp): readonly string[] {
  const found = manifests.find((one) => one.kind === 'Deployment' && name.test(one.metadata.name));
  const { command = [], args = [] } = found?.spec.template.spec.containers[0] ?? {};
  return [...command, ...args].map(String);
}

async function rendered(
  text: string,
  by = chart,
  ...more: readonly string[]
): Promise<readonly Manifest[]> {
  const file = join(directory, 'values.yaml');
  writeFileSync(file, text);
  const { stdout } = await promisify(execFile)(
    HELM,
    ['template', 'my-stack', by, '--values', file, ...more],
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
    const text = planValues(plan);
    const manifests = await rendered(text);
    const count = (kind: string) => manifests.filter((one) => one.kind === kind).length;
    // The engines, the router and, with LMCache, its server.
    assert.equal(count('Deployment'), plan.decision.kvOffload === 'lmcache' ? 3 : 2);
    assert.equal(count('ServiceMonitor'), plan.decision.stack === 'single-engine' ? 0 : 2);
    const { routerSpec, servingEngineSpec } = parse(text);
    // Its pods have ports and variables twice, which is for upstream to change; the Services are the plan's.
    assert.deepEqual(faultsOf(manifests.filter((one) => one.kind === 'Service')), []);
    const [entry] = servingEngineSpec.modelSpec;
    const engine = commandOf(manifests, /deployment-vllm$/);
    assert.ok(engine.includes(entry.modelURL), `${engine}`);
    for (const argument of entry.vllmConfig.extraArgs)
      assert.ok(engine.includes(argument), argument);
    const router = commandOf(manifests, /deployment-router$/);
    assert.equal(router[router.indexOf('--routing-logic') + 1], routerSpec.routingLogic);
  });

  test(`helm renders it with Spillway's chart, with the policy of the plan: ${name}`, async () => {
    const plan = await decidePlan({
      ...{ file: join(cases, name), overrides: [], trace: undefined, prometheus: undefined },
      seed: 1,
    });
    const manifests = await rendered(
      planValues(plan),
      spillwayChart,
      ...['--set', 'spillway.image.repository=registry.example/spillway'],
    );
    assert.deepEqual(faultsOf(manifests), []);
    const router = commandOf(manifests, /deployment-router$/);
    assert.equal(router[router.indexOf('--routing-logic') + 1], plan.routing.policy);
  });
}

test('helm refuses a values file with a policy that the chart does not have', async () => {
  const text = readFileSync(join(chart, 'values.yaml'), 'utf8');
  const wrong = text.replace(/^( *)routingLogic: .*$/m, '$1routingLogic: predictive');
  assert.notEqual(wrong, text);
  await assert.rejects(rendered(wrong), /routingLogic/);
});
