// Embedded engines with faults, and a router that asks them in turn: for tests of streams that move.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  type EngineServerOptions,
} from '../../src/apps/engine/index.ts';
import {
  type RouterOptions,
  type RunningRouter,
  startRouter,
} from '../../src/apps/router/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const tokenizer = await loadTokenizer();
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
export const model = 'm';

export type Faults = NonNullable<EngineServerOptions['faults']>;

/** Engines with these faults, and a router that asks them in turn. */
export async function startFaulty(
  t: TestContext,
  faults: readonly Faults[],
  options: {
    readonly engine?: Partial<EngineServerOptions>;
    readonly router?: Partial<RouterOptions>;
  } = {},
): Promise<{ engines: readonly EngineServer[]; router: RunningRouter }> {
  const config = defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 2000 });
  const engines = await Promise.all(
    faults.map((one) =>
      createEngineServer({
        ...{ port: 0, model, tokenizer, config, cost: { stepSeconds: () => 0.001 } },
        ...{ faults: one, ...options.engine },
      }),
    ),
  );
  const router = await startRouter({
    port: 0,
    engines: engines.map(({ url }) => ({ url, models: [] })),
    policy: 'roundrobin',
    ...{ log, tickMs: 20, ...options.router },
  });
  t.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  return { engines, router };
}

export const jsonHeaders = { 'content-type': 'application/json' };

/** The text of a response, even if it ends without its last chunk. */
export async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(bytes, { stream: true });
    }
  } catch (error) {
    assert.match(String(error), /terminated/);
  }
  return text;
}

/** The outcomes and reasons of migrations that the router has counted. */
export async function migrations(router: RunningRouter): Promise<Record<string, number>> {
  const page = await (await fetch(`${router.url}/metrics`)).text();
  const pattern =
    /^spillway_router_stream_migrations_total\{outcome="(\w+)",reason="(\w+)"\} (\S+)$/gm;
  return Object.fromEntries(
    [...page.matchAll(pattern)].map(([, outcome, reason, count]) => [
      `${outcome} ${reason}`,
      Number(count),
    ]),
  );
}
