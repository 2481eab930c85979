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

async function ask(url: string, content: string): Promise<void> {
  const response = await fetch(`${url}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ model, stream: true, max_tokens: 4, messages: [{ role: 'user', content }] },
    }),
  });
  assert.equal(response.status, 200);
  await response.text();
}

function requestsOf(state: object): number {
  const { totals } = state as { readonly totals: { readonly requests: number } };
  return totals.requests;
}
