// Upstream's chart beside this one: its unit tests, its values files, and the names and selectors of what it creates.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { helms, type Manifest, render, upstream, upstreamChart, upstreamValues } from './helm.ts';
import { casesOf } from './unittest.ts';
import differences from './upstream-differences.json' with { type: 'json' };

const reasons: Readonly<Record<string, string>> = differences;

const suites = readdirSync(join(upstream, 'helm/tests'));
for (const file of suites) {
  const cases = casesOf(readFileSync(join(upstream, 'helm/tests', file), 'utf8'));
  test(`upstream's ${file}: each case passes, or is known to differ`, async (context) => {
    for (const { name, run } of cases) {
      await context.test(name, async () => {
        if (reasons[name] === undefined) await run();
        else await assert.rejects(run, Error, `it passes now: ${reasons[name]}`);
      });
    }
  });
}

test('each known difference is a case of a suite', () => {
  const names = suites.flatMap((file) =>
    casesOf(readFileSync(join(upstream, 'helm/tests', file), 'utf8')).map(({ name }) => name),
  );
  assert.deepEqual(
    Object.keys(reasons).filter((name) => !names.includes(name)),
    [],
  );
});

test('upstream has 37 values files and more', () => {
  assert.ok(upstreamValues.length >= 37, `${upstreamValues.length}`);
});

for (const program of helms) {
  test(`${program} renders all values files of upstream unchanged`, async (context) => {
    for (const file of upstreamValues) {
      await context.test(file, async () => {
        const rendered = await render({ program, files: [join(upstream, file)] });
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
      return [one['spec'].selector, one['spec'].type];
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

test('an upgrade from upstream keeps names, selectors, ports and claims', async (context) => {
  const theirs = upstreamChart();
  for (const file of upstreamValues) {
    const files = [join(upstream, file)];
    await context.test(file, async () => {
      const [before, after] = await Promise.all(
        [theirs, undefined].map(async (chart) => {
          const options = chart === undefined ? { files } : { files, chart };
          const all = [...(await render(options)).values()].flat();
          return new Map(all.map((one) => [`${one.kind} ${one.metadata.name}`, one]));
        }),
      );
      assert.ok(before && after);
      const disabled = file === 'helm/values.yaml' ? ['mistral'] : [];
      for (const [key, one] of before) {
        if (isDropped(one, disabled)) continue;
        const ours = after.get(key);
        assert.ok(ours, `${key} is missing`);
        assert.deepEqual(normal(identity(ours)), normal(identity(one)), key);
        // Ours may have more: the cache server also speaks Redis' protocol.
        for (const port of portsOf(one)) {
          assert.ok(
            portsOf(ours).some((own) => isDeepStrictEqual(own, port)),
            `${key}: ${JSON.stringify(port)}`,
          );
        }
      }
    });
  }
});

function portsOf({ kind, ['spec']: spec }: Manifest): readonly unknown[] {
  return kind === 'Service' ? ((normal(spec.ports) ?? []) as unknown[]) : [];
}

/** Quantities and numbers as text, since upstream writes some without quotes. */
function normal(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_, v) => (typeof v === 'number' ? String(v) : v)),
  );
}
