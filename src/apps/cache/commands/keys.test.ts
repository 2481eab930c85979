import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RespCall } from './call.ts';
import { keyCommands } from './keys.ts';

test('KEYS does not reply with more than the client can be expected to want', () => {
  const key = 'k'.repeat(4096);
  const store = {
    scan: (cursor: number, count: number) => ({
      keys: Array.from({ length: count }, (_, i) => `${cursor + i}${key}`),
      next: cursor + count < 100_000 ? cursor + count : 0,
    }),
  };
  const reply = keyCommands['KEYS']?.run({ store } as unknown as RespCall, ['*']);
  assert.match(
    Buffer.from(reply ?? []).toString(),
    /^-ERR the keys have more bytes than KEYS replies with, which are 33554432; use SCAN\r\n$/,
  );
});
