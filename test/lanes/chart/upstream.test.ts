// Upstream's chart beside this one: its unit tests, its values files, and the names and selectors of what it creates.
// UPSTREAM names a checkout of vllm-project/production-stack (chart 0.1.12, commit a6c01db0).
import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { helms, type Manifest, render, withoutSubcharts } from './helm.ts';
import { casesOf } from './unittest.ts';
import differences from './upstream-differences.json' with { type: 'json' };

const { UPSTREAM = '' } = process.env;
const skip = existsSync(join(UPSTREAM, 'helm/Chart.yaml'))
  ? false
  : 'UPSTREAM names no checkout of vllm-project/production-stack';
const reasons: Readonly<Record<string, string>> = differences;

const suites = skip ? [] : readdirSync(join(UPSTREAM, 'helm/tests'));
for (const file of suites) {
  const cases = casesOf(readFileSync(join(UPSTREAM, 'helm/tests', file), 'utf8'));
  test(`upstream's ${file}: each case passes, or is known to differ`, async (context) => {
    for (const { name, run } of cases) {
      await context.test(name, async () => {
        if (reasons[name] === undefined) await run();
        else await assert.rejects(run, Error, `it passes now: ${reasons[name]}`);
      });
    }
  });
}

test('each known difference is a case of a suite', { skip }, () => {
  const names = suites.flatMap((file) =>
    casesOf(readFileSync(join(UPSTREAM, 'helm/tests', file), 'utf8')).map(({ name }) => name),
  );
  assert.deepEqual(
    Object.keys(reasons).filter((name) => !names.includes(name)),
    [],
  );
});

/** Upstream's files with values of its chart. */
const files = skip
  ? []
  : globSync('**/*.yaml', {
      cwd: UPSTREAM,
      exclude: ['helm/templates/**', 'helm/tests/**', 'operator/**', '.git/**'],
    })
      .map((file) => join(UPSTREAM, file))
      .filter((file) => /^(servingEngineSpec|routerSpec):/m.test(readFileSync(file, 'utf8')))
      .toSorted();

test('upstream has values files', { skip }, () => assert.ok(files.length >= 37, `${files.length}`));

for (const program of helms) {
  test(`${program} renders all values files of upstream unchanged`, { skip }, async (context) => {
    for (const file of files) {
      await context.test(file.slice(UPSTREAM.length + 1), async () => {
        const rendered = await render({ program, files: [file] });
        assert.ok(rendered.size > 3);
      });
    }
  });
}

/** What Kubernetes does not let change, and what others know an object by. */
function identity(one: Manifest): unknown {
  switch (one.kind) {
    case 'Deployment':
      return one['spec'].selector;
    case 'Service':
      return [one['spec'].selector, one['spec'].ports, one['spec'].type];
    case 'PersistentVolumeClaim':
    case 'PersistentVolume':
      return one['spec'];
    default:
      return undefined;
  }
}

/** Objects of upstream that are not created here, each with the reason. */
function isDropped({ kind, metadata: { name } }: Manifest, disabled: readonly string[]): boolean {
  // ConfigMaps of Ray have the release in their names here.
  if (kind === 'ConfigMap' && /-(wait-for-ray|vllm-start)-script$/.test(name)) return true;
  // Upstream creates Services and claims of entries that are not enabled.
  return disabled.some((entry) => name.includes(`-${entry}-`));
}

test('an upgrade from upstream keeps names, selectors, ports and claims', {
  skip,
}, async (context) => {
  const theirs = withoutSubcharts(join(UPSTREAM, 'helm'), 'upstream');
  for (const file of files) {
    await context.test(file.slice(UPSTREAM.length + 1), async () => {
      const [before, after] = await Promise.all(
        [theirs, undefined].map(async (chart) => {
          const options = chart === undefined ? { files: [file] } : { files: [file], chart };
          const all = [...(await render(options)).values()].flat();
          return new Map(all.map((one) => [`${one.kind} ${one.metadata.name}`, one]));
        }),
      );
      assert.ok(before && after);
      const disabled = file.endsWith('helm/values.yaml') ? ['mistral'] : [];
      for (const [key, one] of before) {
        if (isDropped(one, disabled)) continue;
        const ours = after.get(key);
        assert.ok(ours, `${key} is missing`);
        assert.deepEqual(normal(identity(ours)), normal(identity(one)), key);
      }
    });
  }
});

/** Quantities and numbers as text, since upstream writes some without quotes. */
function normal(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_, v) => (typeof v === 'number' ? String(v) : v)),
  );
}
