import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomInteger, seededRandom } from '../../base/index.ts';
import { type Placement, placeAdapters, wantedOf } from './placement.ts';

const engines = ['a', 'b', 'c'];

function adapter(key: string, more: Partial<Placement> = {}): Placement {
  const algorithm = 'default';
  return { key, algorithm, replicas: 1, candidates: engines, holders: new Set(), ...more };
}

function placed(...placements: readonly Placement[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(placeAdapters(placements));
}

test('without a number, every algorithm takes all engines', () => {
  for (const algorithm of ['default', 'ordered', 'equalized'] as const) {
    assert.deepEqual(placed(adapter('x', { algorithm, replicas: undefined })), { x: engines });
  }
});

test('default takes the first engines by name, but leaves an adapter where it is', () => {
  assert.deepEqual(placed(adapter('x', { replicas: 2 })), { x: ['a', 'b'] });
  assert.deepEqual(placed(adapter('x', { replicas: 2, holders: new Set(['c']) })), {
    x: ['a', 'c'],
  });
});

test('ordered takes the first engines by name, wherever the adapter is', () => {
  const holders = new Set(['c']);
  assert.deepEqual(placed(adapter('x', { algorithm: 'ordered', holders })), { x: ['a'] });
});

test('equalized takes the engines with the fewest adapters, those of others included', () => {
  const spread = { algorithm: 'equalized' } as const;
  assert.deepEqual(placed(adapter('x', spread), adapter('y', spread), adapter('z', spread)), {
    ...{ x: ['a'], y: ['b'], z: ['c'] },
  });
  const others = new Map([['a', 2]]);
  assert.deepEqual(placeAdapters([adapter('x', spread)], others).get('x'), ['b']);
});

test('equalized moves an adapter to an engine that is new', () => {
  const on = (engine: string) => ({ algorithm: 'equalized', holders: new Set([engine]) }) as const;
  const result = placed(adapter('x', on('a')), adapter('y', on('a')), adapter('z', on('b')));
  assert.deepEqual(Object.values(result).flat().sort(), ['a', 'b', 'c']);
});

test('each adapter gets its number of engines, each once; what is in place stays; equalized loads differ by one at most', () => {
  const seed = Number(process.env['SPILLWAY_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const random = seededRandom(seed);
  const draw = (below: number) => randomInteger(random, below);
  for (let round = 0; round < 300; round++) {
    const candidates = Array.from({ length: 1 + draw(6) }, (_, i) => `e${i}`);
    const isSpread = draw(2) === 0;
    const placements = Array.from({ length: 1 + draw(6) }, (_, i): Placement => {
      const algorithm = isSpread
        ? 'equalized'
        : (['default', 'ordered', 'equalized'] as const)[draw(3)];
      return {
        ...{ key: `x${i}`, candidates, algorithm: algorithm ?? 'default' },
        replicas: draw(4) === 0 ? undefined : draw(8),
        holders: new Set(candidates.filter(() => draw(2) === 0)),
      };
    });
    const result = placeAdapters(placements);
    for (const placement of placements) {
      const chosen = result.get(placement.key) ?? [];
      assert.equal(new Set(chosen).size, wantedOf(placement), `seed ${seed}`);
      assert.equal(chosen.length, wantedOf(placement), `seed ${seed}`);
    }
    const settled = placements.map((placement) => ({
      ...placement,
      holders: new Set(result.get(placement.key)),
    }));
    assert.deepEqual(placeAdapters(settled), result, `seed ${seed}`);
    if (!isSpread) continue;
    const counts = candidates.map(
      (engine) => [...result.values()].filter((chosen) => chosen.includes(engine)).length,
    );
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `seed ${seed}: ${counts}`);
  }
});
