// Responses in the background: an engine works on them without their client, so that a second one must not begin what a first one may
// have begun.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RouterOptions } from '../../src/apps/router/index.ts';
import { stack } from '../support/router-stack.ts';
import { type ReceivedRequest, respond, type Script } from '../support/scripted-engine.ts';

const queued: Script = {
  onRequest: ({ socket }) => respond(socket, 200, '{"id":"resp_2","status":"queued"}'),
};

interface Asked {
  readonly status: number;
  readonly body: string;
  /** Requests that each engine received. */
  readonly received: readonly number[];
}

/** Sends a response to an engine that fails it, beside one that works; round robin asks the first one first. */
async function asked(
  t: TestContext,
  fields: object,
  fails: (request: ReceivedRequest) => void,
  options: Partial<RouterOptions> & { readonly isWarm?: boolean } = {},
): Promise<Asked> {
  const { isWarm, ...routerOptions } = options;
  const first: Script = {
    onRequest: (request) => {
      if (request.body.includes('"warm"')) respond(request.socket, 200, '{}');
      else fails(request);
    },
  };
  const { router, engines } = await stack(t, [first, queued], routerOptions);
  const ask = (body: object) =>
    fetch(`${router.url}/v1/responses`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', ...body }),
      signal: AbortSignal.timeout(20_000),
    });
  // Both engines then have an idle connection.
  if (isWarm) for (let i = 0; i < 2; i++) await (await ask({ input: 'warm' })).text();
  const response = await ask({ input: 'Hello', ...fields });
  const body = await response.text();
  const received = engines.map(
    (engine) => engine.received.filter((request) => request.body.includes('Hello')).length,
  );
  return { status: response.status, body, received };
}

const background = { background: true, store: true };

/** After these, the engine may have begun. */
const mayHaveBegun: Readonly<
  Record<string, readonly [fails: (request: ReceivedRequest) => void, status: number]>
> = {
  'breaks the connection': [({ socket }) => socket.resetAndDestroy(), 502],
  'breaks it within the head': [
    ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-', () => socket.resetAndDestroy()),
    502,
  ],
  'responds with something that is not HTTP': [
    ({ socket }) => socket.write('SSH-2.0-x\r\n\r\n'),
    502,
  ],
  'does not respond in time': [() => {}, 504],
  'responds with status 500': [({ socket }) => respond(socket, 500, '{}'), 500],
  'responds with status 502, as a proxy before it': [
    ({ socket }) => respond(socket, 502, '{}'),
    502,
  ],
  'responds with status 504, as a proxy before it': [
    ({ socket }) => respond(socket, 504, '{}'),
    504,
  ],
};

for (const [what, [fails, status]] of Object.entries(mayHaveBegun)) {
  test(`a background response whose engine ${what} is worked on by no other`, async (t) => {
    for (const isWarm of [false, true]) {
      const options = { isWarm, deadlines: { firstByteSeconds: 0.5 } };
      const result = await asked(t, background, fails, options);
      assert.deepEqual([result.status, result.received], [status, [1, 0]], `warm: ${isWarm}`);
    }
  });

  test(`a stored response whose engine ${what} is repeated, as its client knows nothing of the first one`, async (t) => {
    const {
      status: seen,
      body,
      received,
    } = await asked(t, { store: true }, fails, {
      deadlines: { firstByteSeconds: 0.5 },
    });
    assert.deepEqual([seen, received[1]], [200, 1]);
    assert.equal(body, '{"id":"resp_2","status":"queued"}');
  });
}

test('a background response that an engine refuses goes to another one', async (t) => {
  for (const status of [429, 503]) {
    const refuses = ({ socket }: ReceivedRequest) => respond(socket, status, '{}');
    const result = await asked(t, background, refuses);
    assert.deepEqual([result.status, result.received], [200, [1, 1]], `${status}`);
  }
});

test('a background response goes to another engine if there is no connection to the first', async (t) => {
  const { router, engines } = await stack(t, [queued, queued]);
  await engines[0]?.close();
  for (let i = 0; i < 2; i++) {
    const response = await fetch(`${router.url}/v1/responses`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', input: 'Hello', ...background }),
    });
    assert.equal(response.status, 200);
    await response.text();
  }
  assert.equal(engines[1]?.received.length, 2);
});
