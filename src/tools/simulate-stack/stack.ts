// `spillway simulate -f values.yaml`: the stack that a values file asks for, under a trace or a
// workload.
import { InputError } from '../../core/base/index.ts';
import {
  checkRouterCount,
  type EngineFailure,
  type FleetSimulationResult,
  recordOf,
  simulateFleet,
  type Timing,
  timingsOf,
  withSessions,
} from '../../core/simulation/index.ts';
import { reportOf, type ServeReport, type ServiceLevel } from '../../core/stats/index.ts';
import { type RequestSource, sliceTrace, tracedRequests } from '../../core/traces/index.ts';
import type { Values } from '../../core/values/index.ts';
import { startWorkload, WorkloadMeter, type WorkloadStats } from '../../core/workload/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { type Stability, stabilityOf } from '../simulate-report/index.ts';
import type { Outage } from './shared-stores.ts';
import { type StackEngine, stackOf } from './stack-engines.ts';
import type { StackPools } from './stack-pools.ts';
import type { OffloadChoice } from './stack-tiers.ts';
import { readWorkload } from './workload-file.ts';

export interface StackRunOptions {
  readonly values: Values;
  /** Exactly one of the two: paths. */
  readonly trace?: string | undefined;
  readonly workload?: string | undefined;
  /** `KEY=VALUE` for the workload. */
  readonly workloadSets?: readonly string[] | undefined;
  /** Arrivals of a trace come this many times as fast. */
  readonly speed: number;
  /** Requests of the trace or workload to play; undefined: all. */
  readonly requests?: number | undefined;
  readonly model?: string | undefined;
  /** Step times of all engines, in place of what the values say; see `readStepCost`. */
  readonly profile?: string | undefined;
  readonly seed: number;
  readonly failures: readonly EngineFailure[];
  /** Of the store that engines share. */
  readonly outage?: Outage | undefined;
  /** In place of what the values say. */
  readonly offload?: OffloadChoice | undefined;
  /** Between engines that prefill and engines that decode, in place of what the values say. */
  readonly link?: string | number | undefined;
  /** What counts as a good answer. */
  readonly limits?: ServiceLevel | undefined;
  readonly percentiles: readonly number[];
  /** `total` is undefined where nobody can know it. */
  readonly onProgress?: ((finished: number, total: number | undefined) => void) | undefined;
}

export interface StackRun extends Stability {
  readonly options: StackRunOptions;
  readonly engines: readonly StackEngine[];
  /** Undefined where the same engines prefill and decode. */
  readonly pools: StackPools | undefined;
  readonly result: FleetSimulationResult;
  /** Of requests that were answered. */
  readonly timings: readonly Timing[];
  /** Latencies count from the arrival at the router. */
  readonly report: ServeReport;
  readonly workload: WorkloadStats;
  /** Requests a second that the workload means to send; undefined for a trace or a closed loop. */
  readonly offeredRate: number | undefined;
  /** Requests too long for the engines' context, which vLLM refuses. */
  readonly refused: number;
  readonly notes: readonly string[];
}

/** @throws {InputError} If a file is bad, or a name is not known. */
export async function simulateStack(options: StackRunOptions): Promise<StackRun> {
  const { values, seed, percentiles } = options;
  const { routerSpec } = values;
  const { engines, pools, notes } = await stackOf(values, options);
  const policy = pools?.prefillPolicy ?? routerSpec.routingLogic;
  if (pools === undefined && options.link !== undefined) {
    throw new InputError(
      `--link is for routerSpec.routingLogic disaggregated_prefill and disaggregated_prefill_orchestrated, not ${policy}.`,
    );
  }
  checkFailures(options.failures, engines.length);
  checkRouterCount(routerSpec.replicaCount);
  const traffic = await trafficOf(options, engines);
  const meter = new WorkloadMeter(traffic.source.blockTokens);
  const result = simulateFleet({
    ...{ requests: traffic.source, engines, policy, seed, failures: options.failures },
    ...{ disaggregation: pools, ...routersOf(values) },
    traceBlockTokens: traffic.source.blockTokens,
    prefixMinMatchLength: routerSpec.prefixMinMatchLength,
    kvEvents: [policy, pools?.decodePolicy].includes('kvaware') || publishesKvEvents(values),
    hidesSessions: routerSpec.sessionKey === '',
    ...{ keepTokens: true, keepSeries: true, onSent: (request) => meter.add(request) },
    onProgress: (finished) => options.onProgress?.(finished, traffic.requestsMax),
  });
  const timings = timingsOf(result);
  const records = timings.map((timing) => recordOf(timing, 'arrival'));
  if (records.length === 0) {
    throw new InputError(
      'No request was answered: all are longer than the context of the engines, or no engine was left; see maxModelLen.',
    );
  }
  const busy = result.engines.reduce((sum, { utilization }) => sum + utilization, 0);
  const workload = meter.stats();
  const { offeredRate, clients } = traffic;
  const { waitingAtArrival, arrivalSeconds } = result;
  const utilization = busy / engines.length;
  return {
    ...{ options, engines, pools, result, timings, workload, offeredRate },
    ...stabilityOf({ waitingAtArrival, arrivalSeconds, utilization, clients }),
    report: reportOf(records, {
      durationSeconds: result.seconds,
      percentiles,
      limits: options.limits ?? {},
    }),
    refused: result.refused,
    notes,
  };
}

/** The router pods that the values ask for, and whether they tell each other what they send. */
export function routersOf({ routerSpec }: Values) {
  const routers = Math.max(1, routerSpec.replicaCount);
  return { routers, sharesAttempts: routerSpec.routerPeers.length > 0 };
}

/** Whether the engines publish KV events; all are taken to, if some do. */
function publishesKvEvents({ servingEngineSpec, routerSpec }: Values): boolean {
  if (routerSpec.extraArgs.includes('--no-kv-events')) return false;
  return servingEngineSpec.modelSpec.some(({ vllmConfig }) => vllmConfig?.kvEvents === true);
}

interface Traffic {
  readonly source: RequestSource;
  readonly requestsMax: number | undefined;
  readonly offeredRate: number | undefined;
  readonly clients: number | undefined;
}

async function trafficOf(
  options: StackRunOptions,
  engines: readonly StackEngine[],
): Promise<Traffic> {
  const { trace, workload, speed, seed, requests } = options;
  const blockSizes = [...new Set(engines.map(({ config }) => config.blockSize))];
  const largest = Math.max(...blockSizes);
  if (trace !== undefined) {
    const loaded = sliceTrace(await loadTrace(trace, { requests }), { speed });
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
      `The engines have blocks of ${blockSizes.join(' and ')} tokens; give them one blockSize.`,
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
