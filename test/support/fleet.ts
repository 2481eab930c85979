// A router with embedded engines in this process, each on its own port.
import type { TestContext } from 'node:test';
import {
  createEngineServer,
  type EngineServer,
  type EngineServerOptions,
} from '../../src/apps/engine/index.ts';
import { startRouter } from '../../src/apps/router/index.ts';
import { defaultEngineConfig, type EngineConfigInput } from '../../src/core/engine/index.ts';
import { createLogger } from '../../src/io/log/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const tokenizer = await loadTokenizer();
const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

/** The fields of an engine on /engines that tests read. */
export interface EngineState {
  readonly url: string;
  readonly state: string;
  readonly load: { readonly inflight: number };
}

export interface Fleet {
  /** Base URL of the router, ending in /v1. */
  readonly url: string;
  readonly engines: readonly EngineServer[];
  /** The router's view of its engines. */
  states(): Promise<readonly EngineState[]>;
}

/**
 * Starts engines and a router to which they are live; all end with the test.
 *
 * @param options.stepSeconds Duration of each step of an engine.
 * @param options.timeScale Infinity: engines respond as fast as the machine can.
 */
export async function startFleet(
  t: TestContext,
  options: {
    readonly engines: number;
    readonly policy: string;
    readonly model: string;
    readonly config?: Partial<EngineConfigInput>;
    readonly stepSeconds?: number;
    readonly timeScale?: number;
    /** Further settings of the engines. */
    readonly engine?: Partial<EngineServerOptions>;
  },
): Promise<Fleet> {
  const { stepSeconds = 0.001, timeScale = 1, model, policy } = options;
  const config = defaultEngineConfig({ maxModelLen: 8192, numGpuBlocks: 2000, ...options.config });
  const cost = { stepSeconds: () => stepSeconds };
  const engines = await Promise.all(
    Array.from({ length: options.engines }, () =>
      createEngineServer({
        ...{ port: 0, model, tokenizer, config, cost, timeScale },
        enablePromptTokensDetails: true,
        ...options.engine,
      }),
    ),
  );
  const router = await startRouter({
    port: 0,
    policy,
    log,
    engines: engines.map(({ url }) => ({ url, models: [] })),
    tickMs: 20,
  });
  t.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  return {
    url: `${router.url}/v1`,
    engines,
    states: async () => (await fetch(`${router.url}/engines`)).json() as Promise<EngineState[]>,
  };
}

/** Waits until a condition holds, for effects that arrive over a socket. The deadline is long: it is only a guard. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Returns the value of one series of an engine's /metrics, by the start of its line. */
export async function metric(engine: EngineServer, name: string): Promise<number> {
  const page = await (await fetch(`${engine.url}/metrics`)).text();
  const line = page.split('\n').find((text) => text.startsWith(`${name}{`));
  if (line === undefined) throw new Error(`${engine.url}/metrics has no ${name}`);
  return Number(line.slice(line.lastIndexOf(' ')));
}
