// Engines are sized in one room: what KV blocks, defaults and step costs are made of is called in
// core/sizing only, so that no two programs can size the same engine differently.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

const makings = [
  ...['kvBlocks', 'memoryBudget', 'schedulerDefaults', 'defaultEngineConfig', 'pipelinedConfig'],
  ...['rooflineCost', 'calibratedRoofline', 'engineRoofline', 'engineCost', 'pipelinedCost'],
  ...['defaultConstants', 'summedLockstep', 'checkHeadsShared'],
];

/** Files outside the room that may, and why. */
const allowed: Readonly<Record<string, string>> = {
  'bench/engine/request-path.ts': 'its engine has room for what it is sent, whatever the model',
  'bench/engine/serve-paced.ts': 'its engine keeps a fixed pace, whatever the model',
  'src/core/faults/faulty-engine.ts':
    'a small engine of no model, whose queue fills within a second',
  'bench/truth/tier-experiment.ts': 'its constants are fitted to the experiment that it replays',
};

test('what an engine is made of is called in core/sizing only', () => {
  const files = globSync('{src,bench}/**/*.ts', { cwd: root }).filter(
    (file) => !/\.test\.ts$|^src\/core\/(engine|sizing)\//.test(file),
  );
  const call = new RegExp(`\\b(${makings.join('|')})\\(`, 'g');
  const found = files.flatMap((file) => {
    const code = readFileSync(join(root, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    const names = new Set([...code.matchAll(call)].map(([, name]) => name));
    return names.size === 0 || file in allowed ? [] : [`${file}: ${[...names].join(', ')}`];
  });
  assert.ok(files.length > 300, `${files.length} files`);
  assert.deepEqual(found, []);
});

test('each of those names is exported, and each file that may use them does', () => {
  const exported = readFileSync(join(root, 'src/core/engine/index.ts'), 'utf8');
  assert.deepEqual(
    makings.filter((name) => !new RegExp(`\\b${name}\\b`).test(exported)),
    [],
  );
  for (const file of Object.keys(allowed)) {
    assert.match(readFileSync(join(root, file), 'utf8'), new RegExp(makings.join('|')));
  }
});
