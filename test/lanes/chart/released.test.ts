// The defaults of every chart that upstream has released, 0.0.2 to 0.1.12, as people copied them into their own files.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../../../src/core/values/index.ts';
import released from '../../support/upstream/released-defaults.json' with { type: 'json' };
import { helms, objects, one } from './helm.ts';

test('there are the defaults of 23 releases', () => {
  assert.equal(released.flatMap(({ versions }) => versions).length, 23);
});

for (const { versions, values } of released) {
  test(`the defaults of ${versions.join(', ')} are valid, and Helm renders them`, async () => {
    resolveValues({ files: [{ name: 'values.yaml', text: JSON.stringify(values) }] });
    for (const program of helms) {
      const all = await objects(values, { program });
      assert.ok(one(all, 'Service', '-router-service'));
    }
  });
}
