// `spillway up`: starts the stack, reports when it can serve, shows it, and stops it.

import { resolve } from 'node:path';
import { counted, engineAddress, type SpillwayError } from '../../core/base/index.ts';
import type { EnginePlan } from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { announceStack } from '../../io/local-stacks/index.ts';
import { delay } from '../../io/processes/index.ts';
import type { StopSignals } from '../../io/signals/index.ts';
import { type AnsweredApi, answeredApi } from './answered-api.ts';
import { ChildLogs } from './child-logs.ts';
import { curlLine, keyVariableOf, nodeLines } from './connect-help.ts';
import type { ReadyStack, UpOutput } from './output.ts';
import { RunningStack } from './stack.ts';

export interface UpOptions {
  readonly values: Values;
  /** Program and first arguments that run `spillway`. */
  readonly self: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly output: UpOutput;
  readonly signals: Pick<StopSignals, 'stop' | 'hurry'>;
  /** File of `spillway plan --json`, which the page shows. */
  readonly planFile?: string | undefined;
  /** Folder for one log file per child. */
  readonly logDirectory?: string | undefined;
}

/** Interval between snapshots: engines are scraped every second, the router's own counts are live. */
const refreshMs = 500;

/**
 * Runs the stack until a stop signal. On return all its processes have ended.
 *
 * @throws {SpillwayError} One sentence, if it cannot start.
 */
export async function runUp(options: UpOptions): Promise<void> {
  const { values, output, signals } = options;
  const startedAt = performance.now();
  const logs = new ChildLogs(options.logDirectory);
  const stack = await RunningStack.create({
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
    output.stopping(String(signals.stop.reason), stopOrder(values));
    void stack.stop(signals.hurry, signals.stop.reason === 'SIGTERM');
  };
  signals.stop.addEventListener('abort', onStop, { once: true });
  let withdraw = (): void => {};
  try {
    await startOrStop(stack, signals.stop);
    if (!signals.stop.aborted) {
      const ready = await readyStack(stack, options, startedAt);
      const { apiUrl, pageUrl, prometheusUrl } = ready;
      const { cert } = values.routerSpec.tls;
      withdraw = announceStack({
        ...{ router: apiUrl, page: pageUrl, prometheus: prometheusUrl },
        certificate: cert === undefined ? undefined : resolve(cert),
      });
      output.ready(ready);
    }
    while (!signals.stop.aborted) {
      output.snapshot(await stack.snapshot());
      await showDetails(stack, logs, output);
      await delay(refreshMs, signals.stop);
    }
  } finally {
    withdraw();
    await stack.stop(signals.hurry);
    signals.stop.removeEventListener('abort', onStop);
    output.stopped();
    logs.close();
  }
}

/** Gives the output what it shows of the engine that the user looks at. */
async function showDetails(stack: RunningStack, logs: ChildLogs, output: UpOutput): Promise<void> {
  const name = output.watchedEngine;
  const engine = name === undefined ? undefined : await stack.engineDetails(name);
  if (engine === undefined) return;
  const { child, ...details } = engine;
  output.engineDetails?.({ ...details, log: child === undefined ? [] : logs.recent(child) });
}

function stopOrder({ routerSpec }: Values): string {
  return routerSpec.enableRouter
    ? 'the router finishes requests in flight, then the engines stop'
    : 'the engines stop';
}

/** A stop during startup is not an error. */
async function startOrStop(stack: RunningStack, stop: AbortSignal): Promise<void> {
  try {
    await stack.start();
  } catch (error) {
    if (!stop.aborted) throw error as SpillwayError;
  }
}

async function readyStack(
  stack: RunningStack,
  options: UpOptions,
  startedAt: number,
): Promise<ReadyStack> {
  const models = [...new Set(stack.members.map(({ backend }) => backend.model))];
  const hasRouter = options.values.routerSpec.enableRouter;
  const hasPage = hasRouter && options.values.spillway.dashboard && (await stack.servesPage());
  const [first] = stack.members;
  const url = hasRouter ? stack.url : first?.backend.url;
  const target = {
    baseUrl: url ?? '',
    model: models[0] ?? '',
    api: await firstApi(stack, options),
    keyVariable: keyVariableOf(options.values, options.environment),
    certificate: hasRouter ? options.values.routerSpec.tls.cert : certificateOf(first?.engine),
  };
  return {
    apiUrl: hasRouter ? `${target.baseUrl}/v1` : undefined,
    engines: hasRouter
      ? undefined
      : stack.members.map(({ backend: { name, url, model } }) => ({ name, url, model })),
    pageUrl: hasPage ? `${stack.viewsUrl}/` : undefined,
    prometheusUrl: stack.prometheusUrl,
    cacheUrl: stack.cacheUrl,
    models,
    curl: curlLine(target),
    nodeLines: nodeLines(target),
    startSeconds: (performance.now() - startedAt) / 1000,
  };
}

/** What the model of the first engine answers; the engine itself knows. */
async function firstApi(stack: RunningStack, options: UpOptions): Promise<AnsweredApi> {
  const [first] = stack.members;
  if (first === undefined) return 'chat';
  const { backend, engine } = first;
  const given = engine.kind === 'url' ? (engine.given ?? engine.url) : backend.url;
  const { authorization } = engineAddress(given);
  const key = authorization === undefined ? engineKeyOf(options) : undefined;
  const tls = backend.tls ?? options.values.routerSpec.engineTls;
  const { url, model } = backend;
  return answeredApi({ url, model, key, authorization, tls }, options.signals.stop);
}

/** The key that engines want: that of the values, or else the environment's. */
function engineKeyOf({ values, environment }: UpOptions): string | undefined {
  const { vllmApiKey } = values.servingEngineSpec;
  const isGiven = typeof vllmApiKey === 'string' && vllmApiKey !== '';
  return isGiven ? vllmApiKey : environment.VLLM_API_KEY;
}

function certificateOf(engine: EnginePlan | undefined): string | undefined {
  return engine === undefined || engine.kind === 'url' ? undefined : engine.certificate;
}

/** For example: `starting 4 engines (Qwen/Qwen3-8B on H100-80GB, emulated) and the router (predictive)`. */
function summaryOf(stack: RunningStack, values: Values): string {
  const groups = new Map<string, number>();
  for (const { engine, backend } of stack.members) {
    const where =
      engine.kind === 'url'
        ? `${backend.model} at ${backend.url}`
        : engine.kind === 'vllm'
          ? `${backend.model} by vLLM`
          : `${backend.model} on ${gpuLabel(engine.spec.gpu)}, emulated${standInLabel(engine.spec)}`;
    groups.set(where, (groups.get(where) ?? 0) + 1);
  }
  const engines = [...groups].map(([where, n]) => `${counted(n, 'engine')} (${where})`);
  const { enableRouter, routingLogic } = values.routerSpec;
  return `starting ${engines.join(', ')} ${enableRouter ? `and the router (${routingLogic})` : 'without a router'}`;
}

function standInLabel({ standIn }: Values['servingEngineSpec']['modelSpec'][number]): string {
  return standIn === undefined ? '' : ` with the size of ${standIn}`;
}

function gpuLabel(gpu: Values['servingEngineSpec']['modelSpec'][number]['gpu']): string {
  return typeof gpu === 'object' ? String(gpu['name']) : (gpu ?? 'the default GPU');
}
