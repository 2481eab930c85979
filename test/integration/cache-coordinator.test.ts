// The coordinator: what LMCache 0.5.6 sent to its own gets the same responses.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { testCache } from '../support/cache.ts';

interface Recorded {
  readonly step: string;
  readonly request: string;
  readonly body: Record<string, unknown> | null;
  readonly status: number;
  readonly response: Record<string, unknown> | null;
}

const recorded = readFileSync(join(import.meta.dirname, 'lmcache-wire/coordinator.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

async function coordinator(t: TestContext) {
  const { urls } = await testCache(t, { coordinatorPort: 0 });
  const url = urls.at(-1)?.replace('coordinator=', '') ?? '';
  return async (request: string, body?: unknown) => {
    const [method = '', path = ''] = request.split(' ');
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${url}${path}`, { method, ...init });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
}

test('a server of LMCache registers, reports, beats and leaves; operators find its chunks', async (t) => {
  const send = await coordinator(t);
  let compared = 0;
  for (const { step, request, body, status, response } of recorded) {
    // Pins and quotas are orders to servers, which this coordinator does not give.
    if (/\/(?:quota|cache)\b/.test(request)) continue;
    const isShortened = body !== null && 'token_ids_length' in body;
    const whole = isShortened
      ? { ...body, token_ids: Array.from({ length: 600 }, (_, i) => i) }
      : (body ?? undefined);
    const answer = await send(request, whole);
    assert.equal(answer.status, status, `${step}: ${request}`);
    assert.deepEqual(timeless(answer.body), timeless(response), `${step}: ${request}`);
    compared++;
  }
  assert.equal(compared, 14);
});

test('a server that is not known has to register again, and bad requests say why', async (t) => {
  const send = await coordinator(t);
  assert.equal((await send('PUT /instances/x/heartbeat')).status, 404);
  assert.equal((await send('DELETE /instances/x')).status, 404);
  assert.equal((await send('POST /instances', { ip: 1 })).status, 422);
  assert.match((await send('POST /events', { batches: [{}] })).body.detail, /instance_id/);
  assert.equal((await send('GET /nothing')).status, 404);
  assert.deepEqual((await send('GET /healthz')).body, { status: 'ok' });
  const { body } = await send('POST /directory/lookup', { token_ids: [1, 2, 3] });
  assert.deepEqual(body, { chunks: 0, results: [] });
});

/** Without the time of registration, and the figures of LMCache's blending, which has no part here. */
function timeless(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (name, value) =>
      name === 'registration_time' || name === 'blend' ? undefined : value,
    ),
  );
}
