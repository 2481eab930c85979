// Compares the table of settings with the schema of the values file, in both directions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyParameters } from '../routing/index.ts';
import { allKeys } from '../values/index.ts';
import { engineKeys } from './keys/engine-keys.ts';
import { stackKeys } from './keys/stack-keys.ts';
import { flagOf } from './setting.ts';
import { settingNames, settingSubjects, settingsTable } from './table.ts';

const entry = 'servingEngineSpec.modelSpec[].';
/** Keys of the schema by path; lists of entries only by their items. */
const schema = allKeys().filter(({ node }) => node['x-ignored'] !== true);
const keysOfEntry = schema
  .filter(({ path }) => path.startsWith(entry))
  .map((key) => ({ ...key, path: key.path.slice(entry.length) }));
const otherKeys = schema.filter(({ path }) => !path.startsWith(entry));
const settingKeys = settingNames.flatMap((name) => settingsTable[name].keys);

test('every key of an entry has a row', () => {
  const rows = [...settingKeys, ...Object.keys(engineKeys)];
  assert.deepEqual(
    unclaimed(keysOfEntry, rows),
    [],
    'keys of modelSpec without a row in core/layout',
  );
});

test('every other key of the values file has a row', () => {
  const ofPolicies = policyParameters.map(({ valuesKey }) => `routerSpec.${valuesKey}`);
  const rows = [...Object.keys(stackKeys), ...ofPolicies, 'servingEngineSpec.modelSpec'];
  assert.deepEqual(
    unclaimed(otherKeys, rows),
    [],
    'keys without a row in core/layout/keys/stack-keys.ts',
  );
});

test('every row names a key of the schema, and no key has two rows', () => {
  const ofEntry = [...settingKeys, ...Object.keys(engineKeys)];
  const known = keysOfEntry.map(({ path }) => path);
  assert.deepEqual(
    ofEntry.filter((key) => !known.includes(key)),
    [],
  );
  assert.equal(new Set(ofEntry).size, ofEntry.length);
  const others = otherKeys.map(({ path }) => path);
  assert.deepEqual(
    Object.keys(stackKeys).filter((key) => !others.includes(key)),
    [],
  );
});

test('a row with an effect covers one key, not all keys below it', () => {
  const used = [
    ...Object.entries(engineKeys).map(([key, effects]) => [key, Object.values(effects)] as const),
    ...Object.entries(stackKeys).map(([key, effects]) => [key, Object.values(effects)] as const),
  ].filter(([, effects]) => effects.some(({ kind }) => kind === 'used'));
  for (const [key] of used) {
    const below = [...keysOfEntry, ...otherKeys].filter(({ path }) => path.startsWith(`${key}.`));
    // A secret may be written in two forms, which count as one key.
    const isSecret = below.every(({ key: last }) => /^secret(Name|Key)$/.test(last));
    assert.ok(isSecret, `${key} claims ${below.map(({ path }) => path).join(', ')}`);
  }
});

test('a setting has the name of its flag, and no two settings share a spelling', () => {
  const spellings = settingNames.flatMap((name) => {
    const { flag, aliases } = settingsTable[name];
    assert.equal(flag, flagOf(name));
    return [flag, ...aliases];
  });
  assert.equal(new Set(spellings).size, spellings.length);
  const inSubjects = Object.values(settingSubjects).flatMap((rows) => Object.keys(rows));
  assert.deepEqual(inSubjects.toSorted(), [...settingNames].toSorted());
});

test('every reason is a clause that can end a sentence', () => {
  const effects = [
    ...settingNames.map((name) => settingsTable[name].effects),
    ...Object.values(engineKeys),
    ...Object.values(stackKeys),
  ].flatMap((row) => Object.values(row));
  for (const effect of effects) {
    if (effect.kind === 'used') continue;
    assert.match(effect.reason, /^[\w-]([^.]|\.\w)*\w$/, effect.reason);
  }
});

/** Returns the keys without a row, unless they lie below or above a key with one. */
function unclaimed(keys: typeof schema, rows: readonly string[]): readonly string[] {
  const paths = keys.map(({ path }) => path);
  const isBelow = (path: string, row: string) =>
    path.startsWith(`${row}.`) || path.startsWith(`${row}[]`);
  return paths.filter(
    (path) =>
      !rows.some((row) => row === path || isBelow(path, row)) &&
      !paths.some((inner) => isBelow(inner, path)),
  );
}
