// How a router stops: readiness fails first, requests are accepted for a while, then responses end.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { post, stack } from '../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  respond,
  startScriptedEngine,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

/** Starts a router as a process in front of one engine that responds at once. */
async function routerProcess(
  t: TestContext,
  flags: readonly string[],
): Promise<{ readonly url: string; readonly process: ChildProcess; readonly log: () => string }> {
  const engine = await startScriptedEngine();
  const args = [main, 'router', '--port', '0', '--static-backends', engine.url, ...flags];
  const child = spawn(process.execPath, [...args, '--log-level', 'info'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await engine.close();
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  await until(() => /router: http/.test(output) && /is live/.test(output));
  return {
    url: /router: (http:\S+)/.exec(output)?.[1] as string,
    process: child,
    log: () => output,
  };
}

interface Reply {
  readonly status: number | undefined;
  readonly connection: string | undefined;
}

/** One request over the agent's connection; rejects if it is refused or cut. */
async function reply(url: string, path: string, agent?: Agent): Promise<Reply> {
  const isPost = path.startsWith('/v1/c');
  const sent = isPost
    ? request(`${url}${path}`, { method: 'POST', agent: agent ?? false })
    : get(`${url}${path}`, { agent: agent ?? false });
  if (isPost) sent.end('{"model":"m","prompt":"Hi"}');
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode, connection: response.headers.connection };
}

test('after SIGTERM no new connection is refused until the drain delay is over', async (t) => {
  const router = await routerProcess(t, ['--drain-delay', '1.5']);
  const { url } = router;
  assert.deepEqual((await reply(url, '/health')).status, 200);
  let served = 0;
  let termAt = Number.POSITIVE_INFINITY;
  const load = async (): Promise<number> => {
    for (;;) {
      try {
        assert.equal((await reply(url, '/v1/completions')).status, 200);
      } catch (error) {
        assert.ok(!(error instanceof assert.AssertionError), error as Error);
        return performance.now();
      }
      if (termAt !== Number.POSITIVE_INFINITY) served++;
    }
  };
  const loads = [load(), load(), load()];
  const exited = once(router.process, 'exit');
  termAt = performance.now();
  router.process.kill('SIGTERM');
  await until(async () => (await reply(url, '/health')).status === 503);
  assert.equal((await reply(url, '/livez')).status, 200, 'it is not to be restarted');
  const refusedAt = Math.min(...(await Promise.all(loads)));
  assert.ok(refusedAt - termAt >= 1500, `refused after ${refusedAt - termAt} ms`);
  assert.ok(served > 0);
  assert.deepEqual(await exited, [0, null]);
});

test('Ctrl-C has no drain delay, and a second SIGTERM ends one at once', async (t) => {
  const flags = ['--drain-delay', '600', '--shutdown-timeout', '600'];
  const first = await routerProcess(t, flags);
  const interrupted = once(first.process, 'exit');
  first.process.kill('SIGINT');
  assert.deepEqual(await interrupted, [0, null]);

  const second = await routerProcess(t, flags);
  const terminated = once(second.process, 'exit');
  second.process.kill('SIGTERM');
  await until(() => /accepted for 600 s/.test(second.log()));
  // Within half a second it would be the same request.
  await new Promise((resolve) => setTimeout(resolve, 600));
  second.process.kill('SIGTERM');
  assert.deepEqual(await terminated, [143, null]);
});

test('while a router retires, each response is the last of its connection', async (t) => {
  const { router } = await stack(t, [{}]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const path = '/v1/completions';
  assert.equal((await reply(router.url, path, agent)).connection, undefined);
  router.retire();
  const last = await reply(router.url, path, agent);
  assert.deepEqual([last.status, last.connection], [200, 'close']);
  assert.equal((await reply(router.url, path)).status, 200, 'new connections are accepted');
});

test('a request that was in flight when the router began to retire closes its connection, too', async (t) => {
  let answer = () => {};
  const { router, engines } = await stack(t, [
    {
      onRequest: ({ socket }) => {
        answer = () => respond(socket, 200, '{}');
      },
    },
  ]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const replied = reply(router.url, '/v1/completions', agent);
  await until(() => engines[0]?.received.length === 1);
  router.retire();
  answer();
  assert.equal((await replied).connection, 'close');
});

test('streams that outlast the shutdown end with an error event, other requests with status 503', async (t) => {
  const { router, engines } = await stack(t, [
    {
      onRequest: ({ socket, body }) => {
        if (!body.includes('stream')) return;
        socket.write(eventStreamHead + chunk('data: {"choices":[]}\n\n'));
      },
    },
  ]);
  const stream = await post(router, { model: 'm', stream: true });
  const reader = stream.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let text = new TextDecoder().decode((await reader.read()).value);
  const waiting = post(router, { model: 'm' });
  await until(() => engines[0]?.received.length === 2);
  const closed = router.close(20);
  const refused = await waiting;
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  const { error } = (await refused.json()) as { error: { message: string; code: number } };
  assert.deepEqual([error.message, error.code], ['The router is shutting down.', 503]);
  // The last chunk is missing, so that no client takes the stream for complete.
  await assert.rejects(async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += new TextDecoder().decode(value);
    }
  });
  assert.match(
    text,
    /data: \{"error":\{"message":"The router is shutting down\.".*"code":503\}\}\n\n$/,
  );
  await closed;
  await until(() => engines[0]?.sockets.size === 0);
});
