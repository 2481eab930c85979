// Bodies of requests that are wrong in a million places, or too large: refused quickly, in a few words.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { z } from 'zod';
import { createJsonServer, listOf, tokenIds } from './index.ts';

const body = z.object({
  keys: listOf(z.object({ name: z.string(), size: z.int() }), 3).optional(),
  tokens: tokenIds(1000).default([]),
});

test('a list is read up to its bound, and the first wrong element is named', () => {
  const keys = [{ name: 'a', size: 1 }];
  assert.deepEqual(body.parse({ keys, tokens: [1, 2] }), { keys, tokens: [1, 2] });
  assert.deepEqual(body.parse({}), { tokens: [] });
  for (const [given, path, message] of [
    [{ keys: [{}, {}, {}, {}] }, ['keys'], /at most 3 elements, not 4/],
    [{ keys: [keys[0], { name: 1 }, {}] }, ['keys', 1, 'name'], /string/],
    [{ keys: {} }, ['keys'], /expected a list/],
    [{ tokens: [1, -1] }, ['tokens', 1], /whole numbers from 0 to 4294967295/],
    [{ tokens: [1, 2.5] }, ['tokens', 1], /whole numbers/],
    [{ tokens: Array.from({ length: 1001 }, () => 1) }, ['tokens'], /at most 1000 elements/],
  ] as const) {
    const { error } = body.safeParse(given);
    assert.deepEqual(
      error?.issues.map((issue) => issue.path),
      [path],
    );
    assert.match(error?.issues[0]?.message ?? '', message);
  }
});

test('an error of many issues is a short text', async (t) => {
  const schema = z.array(z.object({ a: z.string(), b: z.string() }));
  const server = createJsonServer((_request, text) => ({
    status: 200,
    body: schema.parse(JSON.parse(text)),
  }));
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const response = await fetch(url, { method: 'POST', body: `[${'{},'.repeat(5_000)}{}]` });
  const { detail } = (await response.json()) as { detail: string };
  assert.equal(response.status, 422);
  assert.ok(detail.length < 500, detail);
  assert.match(detail, /expected string/);
  assert.match(detail, /and 9999 more$/);
});
