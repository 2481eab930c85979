// Values files for each released chart of upstream are accepted: with the effect of each key, or with a warning that says what replaces it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import upstream from './fixtures/upstream-charts.json' with { type: 'json' };
import { resolveValues } from './resolve.ts';
import { childSchema, type SchemaNode, valuesRoot } from './schema-node.ts';

const { charts, defaults, otherKeys } = upstream;

function hasKey(ranges: readonly string[], chart: string): boolean {
  const at = charts.indexOf(chart);
  return ranges.some((range) => {
    const [first = '', last = first] = range.split('…');
    return charts.indexOf(first) <= at && at <= charts.indexOf(last);
  });
}

function defaultsOf(chart: string): object {
  const root: Record<string, unknown> = {};
  for (const { path, value, charts: ranges } of defaults) {
    if (!hasKey(ranges, chart)) continue;
    let map = root;
    for (const key of path.slice(0, -1)) {
      map[key] ??= {};
      map = map[key] as Record<string, unknown>;
    }
    map[path.at(-1) ?? ''] = value;
  }
  return root;
}

test('the defaults of every released upstream chart are valid, and each key without effect names its replacement', () => {
  assert.equal(charts.length, 23);
  for (const chart of charts) {
    const text = JSON.stringify(defaultsOf(chart));
    assert.ok(text.length > 500, chart);
    const { warnings } = resolveValues({ files: [{ name: chart, text }] });
    for (const { sentence } of warnings) {
      assert.match(sentence, /: No effect.*\. (Use|The|There) /, chart);
    }
  }
});

test('every other key that a released upstream chart reads or describes is known', () => {
  assert.ok(otherKeys.length > 80, `${otherKeys.length} keys`);
  const unknown = otherKeys.filter(({ path }) => {
    let node: SchemaNode | undefined = valuesRoot();
    for (const step of path.replaceAll('[]', '.0').split('.')) {
      node = childSchema(node, /^\d+$/.test(step) ? Number(step) : step);
      // A map of any keys goes to Kubernetes as it is.
      if (node !== undefined && Object.keys(node).length === 0) return false;
    }
    return node === undefined;
  });
  assert.deepEqual(unknown, []);
});
