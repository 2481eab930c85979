// Grafana's own schemas accept the dashboards. Their origin: fixtures/README.md.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { dashboards, grafanaDashboard } from './index.ts';

type Json = Parameters<typeof z.fromJSONSchema>[0] & object;

/** @param definition The part of the schema to hold a value to; the whole by default. */
function schemaOf(file: string, definition?: string): z.ZodType {
  const path = join(import.meta.dirname, 'fixtures', 'grafana', `${file}.jsonschema.json`);
  const whole = JSON.parse(readFileSync(path, 'utf8')) as Json;
  return z.fromJSONSchema(
    definition === undefined ? whole : { ...whole, $ref: `#/definitions/${definition}` },
  );
}

const schemas = {
  dashboard: schemaOf('dashboard'),
  query: schemaOf('prometheus'),
  options: {
    timeseries: schemaOf('timeseries', 'Options'),
    stat: schemaOf('stat', 'Options'),
    heatmap: schemaOf('heatmap', 'Options'),
  },
};

interface PanelJson {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly unknown[];
  readonly options?: unknown;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
}

function panelsOf(dashboard: (typeof dashboards)[number]): readonly PanelJson[] {
  return (JSON.parse(grafanaDashboard(dashboard)) as { panels: readonly PanelJson[] }).panels;
}

for (const dashboard of dashboards) {
  test(`Grafana's schema accepts the dashboard "${dashboard.name}"`, () => {
    const json = JSON.parse(grafanaDashboard(dashboard));
    assert.deepEqual(schemas.dashboard.safeParse(json).error?.issues, undefined);
    for (const { type, title, targets = [], options } of panelsOf(dashboard)) {
      for (const target of targets) {
        assert.deepEqual(schemas.query.safeParse(target).error?.issues, undefined, title);
      }
      if (type === 'row') continue;
      const schema = schemas.options[type as keyof typeof schemas.options];
      assert.deepEqual(schema.safeParse(options).error?.issues, undefined, title);
    }
  });

  test(`the panels of "${dashboard.name}" have ids and places of their own`, () => {
    const panels = panelsOf(dashboard);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!taken.has(`${x} ${y}`), `${title} is over another panel`);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
}

test('a dashboard that Grafana would not accept is refused', () => {
  const [dashboard] = dashboards;
  const json = JSON.parse(grafanaDashboard(dashboard as (typeof dashboards)[number]));
  json.panels[1].gridPos.w = 'wide';
  assert.ok(!schemas.dashboard.safeParse(json).success);
  assert.ok(!schemas.query.safeParse({ refId: 'A', expression: 'up' }).success);
});

test('dashboards have names, uids and titles of their own', () => {
  for (const key of ['name', 'title'] as const) {
    assert.equal(new Set(dashboards.map((one) => one[key])).size, dashboards.length);
  }
  // Longer ones are refused by Grafana.
  for (const { name } of dashboards) assert.ok(`spillway-${name}`.length <= 40);
});
