// The table of tiers names each lane.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const rows = readFileSync('test/lanes/tiers.txt', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(/\s+/));

test('each lane has a tier, and each row a lane', () => {
  const lanes = readdirSync('test/lanes', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const named = new Set(rows.map(([, lane = '']) => lane));
  assert.deepEqual([...named].toSorted(), lanes.toSorted());
});

test('tiers are those of scripts/lane.sh, and the night says why', () => {
  for (const [tier = '', lane, ...why] of rows) {
    assert.ok(['commit', 'land', 'night'].includes(tier), `${lane}: ${tier}`);
    assert.equal(tier === 'night', why.length > 0, `${lane}: a reason`);
  }
});
