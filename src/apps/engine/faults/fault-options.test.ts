import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFaultFlags, readFaults } from './fault-options.ts';

test('flags name a kind and its settings; what is left out has a default', () => {
  assert.deepEqual(readFaultFlags(['error:probability=0.1,status=503', 'cut-stream', 'reset']), {
    error: { probability: 0.1, status: 503 },
    cutStream: { probability: 1, events: 3 },
    reset: { probability: 1 },
  });
});

test('unknown kinds, unknown settings and values out of range are refused', () => {
  assert.throws(() => readFaultFlags(['explode']), /Unknown fault "explode"; known: refuse, reset/);
  assert.throws(
    () => readFaults({ error: { chance: 1 } }),
    /Fault "error" has no setting "chance"; it has: probability, status/,
  );
  assert.throws(() => readFaults({ error: { probability: 2 } }), /must be a number from 0 to 1\./);
  assert.throws(() => readFaultFlags(['error:status=200']), /must be a number from 500 to 599\./);
  assert.throws(() => readFaultFlags(['refuse']), /acts when it is put at run time; as a flag use/);
  assert.throws(() => readFaults([]), /Faults are an object/);
});
