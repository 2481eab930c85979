import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFaultFlags, readFaults } from './fault-options.ts';

test('parses flags with a kind and its settings, and adds defaults', () => {
  assert.deepEqual(readFaultFlags(['error:probability=0.1,status=503', 'cut-stream', 'reset']), {
    error: { probability: 0.1, status: 503 },
    cutStream: { probability: 1, events: 3 },
    reset: { probability: 1 },
  });
});

test('refuses unknown kinds, unknown settings and values out of range', () => {
  assert.throws(() => readFaultFlags(['explode']), /Unknown fault "explode"; known: refuse, reset/);
  assert.throws(
    () => readFaults({ error: { chance: 1 } }),
    /Fault "error" has no setting "chance"; it has: probability, status/,
  );
  assert.throws(() => readFaults({ error: { probability: 2 } }), /must be a number from 0 to 1\./);
  assert.throws(() => readFaultFlags(['error:status=200']), /must be a number from 500 to 599\./);
  assert.throws(() => readFaultFlags(['refuse']), /can only be set at run time; use the flag/);
  assert.throws(() => readFaults([]), /Faults must be an object/);
});
