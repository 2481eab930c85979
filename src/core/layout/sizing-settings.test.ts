import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findGpu, findModel } from '../engine/index.ts';
import { engineShape } from '../sizing/index.ts';
import { settingsTable } from './table.ts';

const qwen = { model: findModel('Qwen3-8B'), gpu: findGpu('H100') };

test('every number format in the table of settings has a size', () => {
  for (const dtype of settingsTable.dtype.value.choices ?? []) {
    const { bytesPerValue } = engineShape({ ...qwen, dtype }).model;
    assert.ok(bytesPerValue === 2 || bytesPerValue === 4, dtype);
  }
  for (const kvCacheDtype of settingsTable.kvCacheDtype.value.choices ?? []) {
    const { kvBytesPerValue = 2 } = engineShape({ ...qwen, kvCacheDtype }).model;
    assert.ok(kvBytesPerValue > 0.3 && kvBytesPerValue <= 4, kvCacheDtype);
  }
});
