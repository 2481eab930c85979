// A client with a key learns nothing of other clients' prompts and of the network from what the router writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTarget, until } from './target.ts';

const secret = 'The launch code of project Bluebird is 7419, and the meeting is at noon. '.repeat(
  8,
);
const addresses = /127\.0\.0\.1|localhost|:\d{4,5}\b/;

test('guesses at the prompt of another client, and errors of engines that are dead', async (t) => {
  const target = await startTarget(t, ['--api-key', 'k']);
  const ask = async (content: string) => {
    const response = await fetch(`${target.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] }),
    });
    const own = [...response.headers].filter(([name]) => name.startsWith('x-spillway-'));
    return { status: response.status, own: own.flat().join(' '), text: await response.text() };
  };
  const [first, wrong, right] = [
    await ask(secret),
    await ask(secret.replace('7419', '7418')),
    await ask(secret),
  ];
  for (const { status, own } of [first, wrong, right]) {
    assert.equal(status, 200);
    assert.equal(own, 'x-spillway-engine engine-1 x-spillway-engine-name engine-1');
  }
  for (const path of ['/engines', '/debug/picks', '/debug/requests', '/dashboard/history']) {
    const shown = await fetch(target.url + path, { headers: { authorization: 'Bearer k' } });
    assert.equal(shown.status, 404, path);
  }
  await target.engine.close();
  await until(async () => (await ask('Hi')).status !== 200);
  for (let i = 0; i < 5; i++) {
    const { status, own, text } = await ask('Hi');
    assert.ok(status === 502 || status === 503, `${status}`);
    assert.doesNotMatch(own + text, addresses);
  }
});
