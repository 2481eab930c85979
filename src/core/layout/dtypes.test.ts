import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfDtype, bytesOfKvDtype } from './dtypes.ts';
import { settingsTable } from './index.ts';

test('every number format in the table of settings has a size', () => {
  for (const name of settingsTable.dtype.value.choices ?? []) {
    const bytes = bytesOfDtype(name);
    assert.ok(name === 'auto' ? bytes === undefined : bytes === 2 || bytes === 4, name);
  }
  for (const name of settingsTable.kvCacheDtype.value.choices ?? []) {
    const bytes = bytesOfKvDtype(name) ?? 2;
    assert.ok(bytes > 0.3 && bytes <= 4, name);
  }
  assert.equal(bytesOfKvDtype('fp8_e5m2'), 1);
  assert.equal(bytesOfKvDtype('torch.float32'), 4);
  assert.equal(bytesOfDtype('torch.bfloat16'), 2);
});
