import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endlessTurns } from '../command-turns.ts';
import type { RespCall, Steps } from './call.ts';
import { keyCommands } from './keys.ts';

test('KEYS does not reply with more than the client can be expected to want', () => {
  const key = 'k'.repeat(4096);
  const store = {
    scan: (cursor: number, count: number) => ({
      keys: Array.from({ length: count }, (_, i) => `${cursor + i}${key}`),
      next: cursor + count < 100_000 ? cursor + count : 0,
    }),
  };
  const call = { store, valueTurns: endlessTurns } as unknown as RespCall;
  const steps = keyCommands['KEYS']?.run(call, ['*']) as Steps;
  let step = steps.next();
  while (!step.done) step = steps.next();
  assert.match(
    Buffer.from(step.value ?? []).toString(),
    /^-ERR the keys have more bytes than KEYS replies with, which are 33554432; use SCAN\r\n$/,
  );
});
