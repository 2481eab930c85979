// `spillway simulate -f values.yaml`: simulates the stack of a values file with a trace or a workload.

import { InputError } from '../../core/base/index.ts';
import { readEntry } from '../../core/layout/index.ts';
import { policyParameters, requiresKvEvents } from '../../core/routing/index.ts';
import {
  checkRouterCount,
  type EngineFailure,
  type FleetSimulationResult,
  recordOf,
  simulatedAdmission,
  simulateFleet,
  type Timing,
  timingsOf,
  withSessions,
} from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, type ServiceLevel } from '../../core/stats/index.ts';
import {
  type RequestSource,
  sliceTrace,
  type TimeUnit,
  tracedRequests,
} from '../../core/traces/index.ts';
import { policyParametersOf, type Values } from '../../core/values/index.ts';
import { startWorkload, WorkloadMeter, type WorkloadStats } from '../../core/workload/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import type { InputText } from '../../io/values/index.ts';
import { readWorkload } from '../../io/workloads/index.ts';
import { type Stability, stabilityOf } from '../simulate-report/index.ts';
import type { Outage } from './shared-stores.ts';
import type { StackEngine } from './stack-engine.ts';
import { stackOf } from './stack-engines.ts';
import type { StackPools } from './stack-pools.ts';
import type { OffloadChoice } from './stack-tiers.ts';

export interface StackRunOptions {
  readonly values: Values;
  /** Requests that are known already, instead of a trace or a workload. */
  readonly traffic?: StackTraffic | undefined;
  /** Path of a trace or a workload; exactly one of the two is given. */
  readonly trace?: string | undefined;
  /** Unit of the trace's timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  readonly workload?: string | InputText | undefined;
  /** Overrides for the workload, `KEY=VALUE`. */
  readonly workloadSets?: readonly string[] | undefined;
  /** Factor by which arrivals of a trace are faster. */
  readonly speed: number;
  /** Maximum number of requests to play; undefined for all. */
  readonly requests?: number | undefined;
  readonly model?: string | undefined;
  /** Overrides the step times of all engines; see `readStepCostSource`. */
  readonly profile?: string | undefined;
  readonly seed: number;
  readonly failures: readonly EngineFailure[];
  /** Outage of the store that engines share. */
  readonly outage?: Outage | undefined;
  /** Overrides the values. */
  readonly offload?: OffloadChoice | undefined;
  /** Overrides the link between engines that prefill and engines that decode. */
  readonly link?: string | number | undefined;
  /** Latencies up to which a response counts as good. */
  readonly limits?: ServiceLevel | undefined;
  readonly percentiles: readonly number[];
  /** `total` is undefined where it cannot be known. */
  readonly onProgress?: ((finished: number, total: number | undefined) => void) | undefined;
}

export interface StackRun extends Stability {
  readonly options: StackRunOptions;
  readonly engines: readonly StackEngine[];
  /** Undefined unless prefill is disaggregated. */
  readonly pools: StackPools | undefined;
  readonly result: FleetSimulationResult;
  /** Timings of completed requests. */
  readonly timings: readonly Timing[];
  /** Latencies count from the arrival at the router. */
  readonly report: ServeReport;
  readonly workload: WorkloadStats;
  /** Requests per second that the workload intends to send; undefined for a trace or a closed loop. */
  readonly offeredRate: number | undefined;
  /** Number of requests beyond the engines' context, which vLLM refuses. */
  readonly refused: number;
  readonly notes: readonly string[];
}

/** @throws {InputError} If a file is invalid, or a name is unknown. */
export async function simulateStack(options: StackRunOptions): Promise<StackRun> {
  const { values, seed, percentiles } = options;
  const { routerSpec } = values;
  const { engines, pools, notes } = await stackOf(values, options);
  const policy = pools?.prefillPolicy ?? routerSpec.routingLogic;
  const policyNames = pools === undefined ? [policy] : [policy, pools.decodePolicy];
  if (pools === undefined && options.link !== undefined) {
    throw new InputError(
      `--link is for routerSpec.routingLogic disaggregated_prefill and disaggregated_prefill_orchestrated, not ${policy}.`,
    );
  }
  checkFailures(options.failures, engines.length);
  checkRouterCount(routerSpec.replicaCount);
  const traffic = await trafficOf(options, engines);
  const meter = new WorkloadMeter(traffic.source.blockTokens);
  const result = await interruptible(() =>
    simulateFleet({
      ...{ requests: traffic.source, engines, policy, seed, failures: options.failures },
      ...{ disaggregation: pools, ...routersOf(values) },
      traceBlockTokens: traffic.source.blockTokens,
      policyParameters: policyParametersOf(routerSpec),
      // All engines publish events if one pool needs them.
      kvEvents: policyNames.some(requiresKvEvents) || publishesKvEvents(values),
      reportsTiers: reportsTiers(values),
      admission: simulatedAdmission(routerSpec.admission),
      hidesSessions: routerSpec.sessionKey === '',
      ...{ keepTokens: true, keepSeries: true, onSent: (request) => meter.add(request) },
      onProgress: (finished) => options.onProgress?.(finished, traffic.requestsMax),
    }),
  );
  const timings = timingsOf(result);
  const records = timings.map((timing) => recordOf(timing, 'arrival'));
  if (records.length === 0) {
    throw new InputError(
      'No request was served: all are longer than the context of the engines, or no engine was left; see maxModelLen.',
    );
  }
  const busy = result.engines.reduce((sum, { utilization }) => sum + utilization, 0);
  const workload = meter.stats();
  const { offeredRate, clients } = traffic;
  const { waitingAtArrival, arrivalSeconds } = result;
  const utilization = busy / engines.length;
  return {
    ...{ options, engines, pools, result, timings, workload, offeredRate },
    ...stabilityOf({
      ...{ waitingAtArrival, arrivalSeconds, utilization, clients },
      rejected: result.rejected,
    }),
    report: reportOf(records, {
      durationSeconds: result.seconds,
      percentiles,
      limits: options.limits ?? {},
    }),
    refused: result.refused,
    notes: [...notes, ...unusedParameterNotes(values, policyNames)],
  };
}

/** Returns the number of router pods, and whether they share what they send. */
export function routersOf({ routerSpec }: Values) {
  const routers = Math.max(1, routerSpec.replicaCount);
  return { routers, sharesAttempts: routerSpec.routerPeers.length > 0 };
}

/** Returns a note for each policy parameter that the values set and no policy of the stack uses. */
function unusedParameterNotes({ routerSpec }: Values, policyNames: readonly string[]): string[] {
  const given = policyParametersOf(routerSpec);
  return policyParameters
    .filter(({ name, policy, default: standard }) => {
      const value = given[name];
      return value !== undefined && value !== standard && !policyNames.includes(policy);
    })
    .map(
      ({ valuesKey, policy }) =>
        `routerSpec.${valuesKey} has no effect: it is a parameter of ${policy}, and routerSpec.routingLogic is ${routerSpec.routingLogic}.`,
    );
}

/** Returns whether the engines publish KV events; if one does, all are assumed to. */
function publishesKvEvents({ servingEngineSpec, routerSpec }: Values): boolean {
  if (routerSpec.extraArgs.includes('--no-kv-events')) return false;
  return servingEngineSpec.modelSpec.some(
    (entry) => readEntry(entry).settings.kvEventsConfig?.enable_kv_cache_events === true,
  );
}

/** Returns whether LMCache in the engines reports to the router; if one does, all are assumed to. */
function reportsTiers({ servingEngineSpec }: Values): boolean {
  return servingEngineSpec.modelSpec.some(
    ({ lmcacheConfig: { enabled, enableController } = {} }) =>
      enabled === true && enableController === true,
  );
}

/** What is sent to a stack. */
export interface StackTraffic {
  readonly source: RequestSource;
  readonly requestsMax: number | undefined;
  /** Requests per second that clients intend to send. */
  readonly offeredRate: number | undefined;
  /** Number of clients of a closed loop. */
  readonly clients: number | undefined;
}

async function trafficOf(
  options: StackRunOptions,
  engines: readonly StackEngine[],
): Promise<StackTraffic> {
  const { trace, workload, speed, seed, requests } = options;
  const blockSizes = [...new Set(engines.map(({ config }) => config.blockSize))];
  const largest = Math.max(...blockSizes);
  if (options.traffic !== undefined) {
    const { blockTokens } = options.traffic.source;
    if (blockSizes.every((size) => blockTokens % size === 0)) return options.traffic;
    throw new InputError(
      `The requests have blocks of ${blockTokens} tokens, and an engine of these values of ${largest}; set vllmConfig.blockSize to a divisor of ${blockTokens}.`,
    );
  }
  if (trace !== undefined) {
    const loaded = sliceTrace(await loadTrace(trace, { requests, timeUnit: options.traceUnit }), {
      speed,
    });
    const { blockTokens } = loaded;
    if (blockSizes.some((size) => blockTokens % size !== 0)) {
      throw new InputError(
        `${trace} has blocks of ${blockTokens} tokens, and an engine of these values of ${largest}; set vllmConfig.blockSize to a divisor of ${blockTokens}.`,
      );
    }
    return {
      source: tracedRequests(withSessions(loaded.requests), blockTokens),
      requestsMax: loaded.requests.length,
      ...{ offeredRate: undefined, clients: undefined },
    };
  }
  if (workload === undefined) throw new InputError('simulate -f needs --trace or --workload.');
  const read = await readWorkload(workload, options.workloadSets);
  const limited = requests === undefined ? read : { ...read, requests };
  if (blockSizes.some((size) => largest % size !== 0)) {
    throw new InputError(
      `The engines have blocks of ${blockSizes.join(' and ')} tokens; give them the same blockSize.`,
    );
  }
  return startWorkload(limited, { blockTokens: largest, seed });
}

function checkFailures(failures: readonly EngineFailure[], engines: number): void {
  const bad = failures.find(({ engine }) => engine >= engines);
  if (bad === undefined) return;
  throw new InputError(
    `--fail names engine ${bad.engine}; these values have engines 0 to ${engines - 1}.`,
  );
}
