import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfDtype, bytesOfKvDtype } from './dtypes.ts';

test('a number format has the bytes of its name, with or without the prefix of PyTorch', () => {
  assert.equal(bytesOfKvDtype('fp8_e5m2'), 1);
  assert.equal(bytesOfKvDtype('torch.float32'), 4);
  assert.equal(bytesOfDtype('torch.bfloat16'), 2);
  assert.equal(bytesOfDtype('auto'), undefined);
});
