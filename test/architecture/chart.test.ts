// The chart and the schema of the values file name the same keys. The lane "chart" renders the chart; this needs no Helm.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineArguments, routerArguments } from '../../scripts/chart-arguments.ts';
import { chartSchema, valuesShape } from '../../scripts/chart-shape.ts';
import { chartValues } from '../../scripts/chart-values.ts';
import { subchartKeys, vainChartKeys } from '../../src/core/layout/index.ts';
import { allKeys } from '../../src/core/values/index.ts';

const chart = join(import.meta.dirname, '..', '..', 'charts', 'spillway');
const read = (file: string) => readFileSync(join(chart, file), 'utf8');
const templates = globSync('templates/*', { cwd: chart }).map(read).join('\n');
const keys = allKeys();

test('the files that "npm run docs" writes are current', () => {
  assert.equal(read('values.schema.json'), chartSchema());
  assert.equal(read('templates/_values-shape.tpl'), valuesShape());
  assert.equal(read('values.yaml'), chartValues());
  assert.equal(read('templates/_engine-arguments.tpl'), engineArguments());
  assert.equal(read('templates/_router-arguments.tpl'), routerArguments());
});

test('every template reads the values as "spillway up" does, before anything else', () => {
  for (const file of globSync('templates/*', { cwd: chart })) {
    if (/\/_[^/]*\.tpl$/.test(file)) continue;
    assert.match(read(file), /^\{\{- include "spillway\.values" \. -?\}\}\n/, file);
  }
});

test('templates read only keys that the schema has', () => {
  const known = new Set(keys.map(({ path }) => path));
  const isKnown = (path: string) =>
    known.has(path) || [...known].some((key) => path.startsWith(`${key}.`) && isFree(key));
  const isFree = (key: string) => !keys.some(({ path }) => path.startsWith(`${key}.`));
  const used = [...templates.matchAll(/\.Values\.([A-Za-z][\w.]*)/g)].map(([, path = '']) =>
    path.replace(/\.$/, ''),
  );
  assert.ok(used.length > 100, `${used.length} uses found`);
  assert.deepEqual(
    [...new Set(used)].filter((path) => !isKnown(path)),
    [],
  );
});

test('each key is read by a template, or is listed as without effect', () => {
  const reasons = Object.keys({ ...vainChartKeys, ...subchartKeys });
  const unread = keys
    .filter(({ node }) => node['x-ignored'] !== true)
    .filter(({ path }) => !reasons.some((key) => path === key || path.startsWith(`${key}.`)))
    .filter(({ key }) => !new RegExp(`\\b${key.replaceAll('-', '\\-')}\\b`).test(templates))
    // Maps and lists that go to Kubernetes as a whole.
    .filter(
      ({ path }) =>
        !wholes.some((whole) => path.includes(`${whole}.`) || path.includes(`${whole}[]`)),
    );
  assert.deepEqual(
    unread.map(({ path }) => path),
    [],
  );
  const known = keys.map(({ path }) => path);
  assert.deepEqual(
    reasons.filter((key) => !known.includes(key)),
    [],
  );
});

/** Sections whose keys are those of a Kubernetes object, which gets them as they are. */
const wholes = ['Probe', 'keda.fallback', 'keda.advanced', 'keda.triggers', 'strategy', 'httpGet'];

test('every template of the chart has a file of a kind that upstream has, or is listed here', () => {
  const own = [
    'NOTES.txt',
    'cronjob-gate.yaml',
    'dashboards-spillway.yaml',
    'networkpolicy.yaml',
    'pdb-cache-server.yaml',
    'prometheusrule.yaml',
    'service-router-peers.yaml',
  ];
  const upstream = `configmap dashboards deployment-cache-server deployment-lora-adapter deployment-lora-controller
    deployment-router deployment-vllm-multi extra-objects hpa-router ingress pdb-lora-controller pdb-router
    pdb-vllm-multi pvc ray-cluster role rolebinding route scaledobject-vllm secrets service-cache-server
    service-router service-vllm serviceaccount servicemonitor-engine servicemonitor-router shared-storage`;
  const files = globSync('templates/*', { cwd: chart })
    .map((file) => file.replace('templates/', ''))
    .filter((file) => !file.startsWith('_'));
  assert.deepEqual(
    files.toSorted(),
    [...upstream.split(/\s+/).map((name) => `${name}.yaml`), ...own].toSorted(),
  );
});
