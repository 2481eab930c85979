// Runs the loads of the claims: in virtual time, or against servers.
import type { Clock } from '../../core/base/index.ts';
import type { ServeReport } from '../../core/stats/index.ts';
import type { Values } from '../../core/values/index.ts';
import { readWorkload } from '../../io/workloads/index.ts';
import { type LoadOptions, runLoad, workloadSource } from '../benchmark/index.ts';
import { simulateStack } from '../simulate-stack/index.ts';
import type { ClaimRun, Shape } from './claims.ts';

const gibibyte = 2 ** 30;
/** Host memory of LMCache per engine, as in the announcements' set-up of the stack. */
const hostBytes = 100 * gibibyte;

/**
 * Simulates a shape on one side: a load balancer in turns without offload, or `predictive` with LMCache and a shared store.
 *
 * @param values Of eight engines.
 * @throws {InputError} If the shape cannot be simulated on them.
 */
export async function simulateClaim(
  values: Values,
  { name, workload }: Shape,
  { shares, seed }: Pick<ClaimRun, 'shares' | 'seed'>,
): Promise<ClaimRun> {
  const { report } = await simulateStack({
    values: {
      ...values,
      routerSpec: { ...values.routerSpec, routingLogic: shares ? 'predictive' : 'roundrobin' },
    },
    ...{ workload: { name, text: workload }, speed: 1, seed, failures: [], percentiles: [50] },
    offload: shares ? { kind: 'lmcache', hostBytes } : { kind: 'none', hostBytes: 0 },
  });
  return { shape: name, shares, seed, ...measuredIn(report) };
}

/**
 * Plays a shape against a server.
 *
 * @param requests Number of requests, if not that of the shape.
 * @returns undefined if it was stopped.
 * @throws {InputError} If the server serves no such model.
 * @throws {NoResponseError} If it cannot be reached.
 */
export async function measureClaim(
  options: LoadOptions,
  { name, workload: text }: Shape,
  { shares, seed }: Pick<ClaimRun, 'shares' | 'seed'>,
  context: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly tokenizer: string | undefined;
    readonly requests: number | undefined;
  },
): Promise<ClaimRun | undefined> {
  const workload = await readWorkload({ name, text });
  const { clock, signal, tokenizer, requests = workload.requests } = context;
  // Other words on each side: two URLs may lead to one cache.
  const traffic = {
    ...{ seed, textSeed: 2 * seed + (shares ? 1 : 0), api: 'completions' as const, tokenizer },
    ...{ mayEndEarly: false, fields: { temperature: 0 }, adapters: [] },
    timeScale: options.timeScale,
  };
  const outcome = await runLoad(
    options,
    (model) => workloadSource({ ...workload, requests }, traffic, model),
    { clock, signal },
  );
  return signal.aborted ? undefined : { shape: name, shares, seed, ...measuredIn(outcome.report) };
}

function measuredIn(report: ServeReport): Pick<ClaimRun, 'figures' | 'failed'> {
  const { ttft, e2el } = report.fromSent;
  return {
    figures: {
      ttftMs: ttft?.mean ?? Number.NaN,
      e2eMs: e2el?.mean ?? Number.NaN,
      tokensPerSecond: report.outputTokens / report.durationSeconds,
    },
    failed: report.failed,
  };
}
