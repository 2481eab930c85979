// `spillway up`: starts the stack, says when it can serve, shows it, and stops it.
import type { SpillwayError } from '../../core/base/index.ts';
import type { Values } from '../../core/values/index.ts';
import { delay, type StopSignals } from '../../io/processes/index.ts';
import { ChildLogs } from './child-logs.ts';
import { curlLine, openaiNodeLines } from './connect-help.ts';
import type { ReadyNews, UpOutput } from './output.ts';
import { Stack } from './stack.ts';

export interface UpOptions {
  readonly values: Values;
  /** Program and first arguments that run `spillway`. */
  readonly self: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly output: UpOutput;
  readonly signals: Pick<StopSignals, 'stop' | 'hurry'>;
  /** Where each child gets a log file. */
  readonly logDirectory?: string | undefined;
}

/** Between two pictures: engines are scraped each second, the router's own counts are live. */
const refreshMs = 500;

/**
 * Runs the stack until a stop signal. On return nothing of it is left.
 *
 * @throws {SpillwayError} One sentence, if it cannot start.
 */
export async function runUp(options: UpOptions): Promise<void> {
  const { values, output, signals } = options;
  const startedAt = performance.now();
  const logs = new ChildLogs(options.logDirectory);
  const stack = await Stack.create({
    ...options,
    hooks: {
      onLine: (name, line) => {
        logs.add(name, line);
        output.childLine(name, line);
      },
      onState: (process) => output.processState(process),
    },
  });
  for (const name of stack.childNames) logs.open(name);
  output.starting(summaryOf(stack, values));
  const onStop = (): void => {
    output.stopping(String(signals.stop.reason));
    void stack.stop(signals.hurry);
  };
  signals.stop.addEventListener('abort', onStop, { once: true });
  try {
    await startOrStop(stack, signals.stop);
    if (!signals.stop.aborted) output.ready(readyNews(stack, options, startedAt));
    while (!signals.stop.aborted) {
      output.snapshot(await stack.snapshot());
      await delay(refreshMs, signals.stop);
    }
  } finally {
    await stack.stop(signals.hurry);
    signals.stop.removeEventListener('abort', onStop);
    output.stopped();
    logs.close();
  }
}

/** A stop while starting is not an error. */
async function startOrStop(stack: Stack, stop: AbortSignal): Promise<void> {
  try {
    await stack.start();
  } catch (error) {
    if (!stop.aborted) throw error as SpillwayError;
  }
}

function readyNews(stack: Stack, options: UpOptions, startedAt: number): ReadyNews {
  const models = [...new Set(stack.members.map(({ backend }) => backend.model))];
  const target = {
    baseUrl: `${stack.url}/v1`,
    model: models[0] ?? '',
    keyVariable: keyVariableOf(options),
  };
  return {
    apiUrl: target.baseUrl,
    pageUrl: options.values.spillway.dashboard ? `${stack.url}/` : undefined,
    models,
    curl: curlLine(target),
    openaiNode: openaiNodeLines(target),
    startSeconds: (performance.now() - startedAt) / 1000,
  };
}

/** Where a client of the stack has its key: the router's, or else that of the engines. */
function keyVariableOf({ environment, values }: UpOptions): string | undefined {
  if (environment.SPILLWAY_ROUTER_API_KEY) return 'SPILLWAY_ROUTER_API_KEY';
  const { vllmApiKey } = values.servingEngineSpec;
  const hasEngineKey = typeof vllmApiKey === 'string' && vllmApiKey !== '';
  return environment.VLLM_API_KEY || hasEngineKey ? 'VLLM_API_KEY' : undefined;
}

/** For example: `starting 4 engines (Qwen/Qwen3-8B on H100-80GB, emulated) and the router (predictive)`. */
function summaryOf(stack: Stack, values: Values): string {
  const groups = new Map<string, number>();
  for (const { engine, backend } of stack.members) {
    const where =
      engine.kind === 'url'
        ? `${backend.model} at ${backend.url}`
        : engine.kind === 'vllm'
          ? `${backend.model} by vLLM`
          : `${backend.model} on ${gpuLabel(engine.spec.gpu)}, emulated`;
    groups.set(where, (groups.get(where) ?? 0) + 1);
  }
  const engines = [...groups].map(([where, n]) => `${n} engine${n === 1 ? '' : 's'} (${where})`);
  return `starting ${engines.join(', ')} and the router (${values.routerSpec.routingLogic})`;
}

function gpuLabel(gpu: Values['servingEngineSpec']['modelSpec'][number]['gpu']): string {
  return typeof gpu === 'object' ? String(gpu['name']) : (gpu ?? 'the default GPU');
}
