// Equal engines behind a real router get equal shares, though the first steps of some are slow.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../support/fleet.ts';

const model = 'Qwen3-8B';
const requests = 120;
const gapMs = 25;

test('three equal engines get equal shares of light traffic, though some start slowly', async (t) => {
  let steps = 0;
  // The engines that compute the first steps take 40 times as long, as a process does that has just started.
  const cost = { stepSeconds: () => (steps++ < 20 ? 0.2 : 0.005) };
  const fleet = await startFleet(t, { engines: 3, policy: 'predictive', model, engine: { cost } });
  const answers: Promise<void>[] = [];
  for (let i = 0; i < requests; i++) {
    answers.push(ask(fleet.url, `question ${i} `.repeat(100)));
    await sleep(gapMs);
  }
  await Promise.all(answers);
  const counts = (await fleet.states()).map((state) => requestsOf(state));
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    requests,
  );
  for (const count of counts) assert.ok(count >= requests / 5, `requests by engine: ${counts}`);
});

test('one prompt that is too long for its engine costs the engine no share', async (t) => {
  const fleet = await startFleet(t, { engines: 3, policy: 'predictive', model });
  for (let i = 0; i < 6; i++) await ask(fleet.url, `first question ${i} `.repeat(20));
  await ask(fleet.url, 'hello '.repeat(60_000), 400);
  const before = (await fleet.states()).map((state) => requestsOf(state));
  for (let i = 0; i < 60; i++) await ask(fleet.url, `next question ${i} `.repeat(60));
  const after = (await fleet.states()).map((state) => requestsOf(state));
  const counts = after.map((count, i) => count - (before[i] as number));
  for (const count of counts) assert.ok(count >= 10, `requests by engine: ${counts}`);
});

async function ask(url: string, content: string, expected = 200): Promise<void> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ model, stream: true, max_tokens: 4, messages: [{ role: 'user', content }] },
    }),
  });
  await response.text();
  assert.equal(response.status, expected);
}

function requestsOf(state: object): number {
  const { totals } = state as { readonly totals: { readonly requests: number } };
  return totals.requests;
}
