import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { presets, resolveValues, type ValuesInput } from './index.ts';

/** The report for values that must be refused. */
function problemsOf(input: ValuesInput | string): string[] {
  try {
    resolveValues(
      typeof input === 'string' ? { files: [{ name: 'my.yaml', text: input }] } : input,
    );
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.message.split('\n');
  }
  assert.fail('these values were expected to be refused');
}

test('an empty file gives every default of the upstream chart', () => {
  const { values } = resolveValues({ files: [{ name: 'my.yaml', text: '' }] });
  assert.equal(values.routerSpec.routingLogic, 'roundrobin');
  assert.equal(values.routerSpec.containerPort, 8000);
  assert.deepEqual(values.servingEngineSpec.modelSpec, []);
  assert.deepEqual(values.servingEngineSpec.labels, { environment: 'test', release: 'test' });
});

test('an unknown key is named with its place and the nearest known key', () => {
  assert.deepEqual(problemsOf('routerSpec:\n  routingLogik: session\n'), [
    'my.yaml:2:3: routerSpec.routingLogik is not a known key; did you mean routingLogic.',
  ]);
});

test('every preset is valid', () => {
  for (const { name } of presets) resolveValues({ preset: name });
});
