// A router with scripted engines, and requests to it as raw bytes.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from '../../src/apps/router/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { type Script, type ScriptedEngine, startScriptedEngine } from './scripted-engine.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

/** Starts engines and their router; all end with the test. @param labels One per engine, where some prefill for others. */
export async function stack(
  context: TestContext,
  scripts: readonly Script[],
  options: Partial<RouterOptions> = {},
  labels: readonly string[] = [],
): Promise<{ router: RunningRouter; engines: ScriptedEngine[] }> {
  const engines = await Promise.all(scripts.map((script) => startScriptedEngine(script)));
  const router = await startRouter({
    port: 0,
    engines: engines.map(({ url }, i) => ({ url, models: [], label: labels[i] })),
    policy: 'roundrobin',
    log,
    tickMs: 20,
    ...options,
  });
  context.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  return { router, engines };
}

export function post(
  router: RunningRouter,
  body: unknown,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(`${router.url}/v1/chat/completions`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

/** Sends bytes and returns everything that arrives until the router closes the connection. */
export async function exchangeBytes(router: RunningRouter, bytes: string): Promise<string> {
  const socket = connect(router.port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (text) => {
    received += text;
  });
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return received;
}
