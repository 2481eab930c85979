// Simulates the requests that a router has just served on a fleet of the catalogue: "what if I had twelve engines?".
import { InputError, nearest } from '../base/index.ts';
import { gpus, guessModel, models } from '../engine/index.ts';
import {
  backlogGrowth,
  fleetOf,
  overloadedGrowth,
  policyNamed,
  recordOf,
  type SimulatedRequest,
  simulateFleet,
  timingsOf,
} from '../simulation/index.ts';
import { reportOf, type Summary } from '../stats/index.ts';

/** A request as it was observed. */
export interface ObservedRequest {
  readonly arrivalSeconds: number;
  readonly promptTokens: number;
  /** The part of the prompt that was found in a cache; null if unknown. */
  readonly cachedTokens: number | null;
  /** Null if the response did not report them. */
  readonly outputTokens: number | null;
}

export interface WhatIf {
  readonly requests: readonly ObservedRequest[];
  readonly engines: number;
  /** Names of the catalogue. */
  readonly model: string;
  readonly gpu: string;
  /** Policy of the router. */
  readonly policy: string;
  /** Factor on the rate of the traffic. */
  readonly load: number;
}

export interface WhatIfResult {
  /** Requests that were simulated. */
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Whether the queue grows as long as requests arrive: then latencies depend on how long that lasts. */
  readonly isOverloaded: boolean;
  /** Mean share of the time in which engines compute. */
  readonly utilization: number;
  readonly hitRate: number;
  /** Milliseconds. */
  readonly ttft: Latency;
  readonly tpot: Latency;
  readonly e2e: Latency;
  /** What was assumed in place of a measurement, one sentence each. */
  readonly notes: readonly string[];
}

interface Latency {
  readonly p50: number | null;
  readonly p90: number | null;
}

/** The recent requests are repeated so often, with their gaps, so that a fleet has time to fill its caches. */
const laps = 4;
const requestsMin = 8;
const enginesMax = 512;
const blockTokens = 16;

export const gpuNames: readonly string[] = gpus
  .filter(({ memoryBytes }) => memoryBytes !== undefined)
  .map(({ name }) => name);
export const modelNames: readonly string[] = models
  .filter(({ pooling }) => pooling === undefined)
  .map(({ name }) => name);

/** The entry of the catalogue that is most like a model's name; the first one if nothing in the name helps. */
export function modelLike(name: string): string {
  const shortOf = (full: string) => (full.split('/').at(-1) ?? full).toLowerCase();
  const short = shortOf(name);
  const exact = modelNames.find((known) => shortOf(known) === short);
  if (exact !== undefined) return exact;
  const shape = guessModel(name)?.source.replace(/^.*the shape of /, '');
  const known = modelNames.find((one) => one === shape);
  return known ?? nearest(short, modelNames) ?? (modelNames[0] as string);
}

/** @throws {InputError} If there are too few requests, or the model does not fit on the GPU. */
export function whatIf(options: WhatIf): WhatIfResult {
  const { model, gpu, policy, load } = options;
  if (!Number.isInteger(options.engines) || options.engines < 1 || options.engines > enginesMax) {
    throw new InputError(`The number of engines must be from 1 to ${enginesMax}.`);
  }
  if (!(load > 0 && load <= 100)) throw new InputError('The load must be above 0 and at most 100.');
  const { requests, notes } = trafficOf(options.requests, load);
  const longest = requests.reduce((most, r) => Math.max(most, r.promptTokens + r.outputTokens), 0);
  const engines = fleetOf({
    ...{ engines: options.engines, model, gpu, blockTokens },
    maxModelLen: Math.max(longest + 1, 2_048),
  });
  const result = simulateFleet({
    ...{ requests, engines, traceBlockTokens: blockTokens, seed: 1, keepTokens: true },
    ...policyNamed(policy, engines),
  });
  const timings = timingsOf(result);
  if (timings.length === 0) {
    throw new InputError(`No request fits into the memory that ${model} leaves on ${gpu}.`);
  }
  const report = reportOf(
    timings.map((timing) => recordOf(timing, 'arrival')),
    { durationSeconds: result.seconds, percentiles: [50, 90], limits: {} },
  );
  const arrivals = requests.map(({ arrivalSeconds }) => arrivalSeconds);
  const busy = result.engines.reduce((sum, { utilization }) => sum + utilization, 0);
  const { ttft, tpot, e2el } = report.fromSent;
  const span = (arrivals.at(-1) as number) - (arrivals[0] as number);
  return {
    requests: timings.length,
    requestsPerSecond: span > 0 ? (requests.length - 1) / span : 0,
    isOverloaded: backlogGrowth(result.waitingAtArrival, arrivals) > overloadedGrowth,
    utilization: busy / result.engines.length,
    hitRate: report.cacheQueriedTokens > 0 ? report.cachedTokens / report.cacheQueriedTokens : 0,
    ...{ ttft: latencyOf(ttft), tpot: latencyOf(tpot), e2e: latencyOf(e2el) },
    notes,
  };
}

/** The observed requests as a trace that repeats. */
function trafficOf(
  observed: readonly ObservedRequest[],
  load: number,
): { readonly requests: readonly SimulatedRequest[]; readonly notes: readonly string[] } {
  const sorted = observed.toSorted((a, b) => a.arrivalSeconds - b.arrivalSeconds);
  const reported = sorted.flatMap(({ outputTokens }) => outputTokens ?? []);
  if (sorted.length < requestsMin || reported.length === 0) {
    throw new InputError(
      `A simulation needs ${requestsMin} recent requests, one of them with the token counts of its response (stream_options.include_usage for streams).`,
    );
  }
  const first = sorted[0] as ObservedRequest;
  const last = sorted.at(-1) as ObservedRequest;
  const span = last.arrivalSeconds - first.arrivalSeconds;
  const lapSeconds = span * (sorted.length / (sorted.length - 1));
  const mean = Math.max(1, Math.round(reported.reduce((sum, n) => sum + n, 0) / reported.length));
  // Block ids below this number are the shared prefix.
  const longest = Math.max(...sorted.map(({ promptTokens }) => promptTokens));
  let unique = Math.ceil(longest / blockTokens) + 1;
  const requests = Array.from({ length: laps }).flatMap((_, lap) =>
    sorted.map((request): SimulatedRequest => {
      const promptTokens = Math.max(1, Math.round(request.promptTokens));
      const blocks = Math.ceil(promptTokens / blockTokens);
      const shared = Math.min(blocks - 1, Math.floor((request.cachedTokens ?? 0) / blockTokens));
      return {
        arrivalSeconds: (request.arrivalSeconds - first.arrivalSeconds + lap * lapSeconds) / load,
        promptTokens,
        outputTokens: Math.max(1, request.outputTokens ?? mean),
        blockIds: Array.from({ length: blocks }, (_block, i) => (i < shared ? i : unique++)),
      };
    }),
  );
  const unknown = sorted.length - reported.length;
  return {
    requests,
    notes: [
      `The last ${sorted.length} requests are repeated ${laps} times.`,
      'Cached prompt tokens are taken as one prefix that all requests share.',
      ...(unknown > 0
        ? [`${unknown} responses reported no token counts: they count as ${mean} tokens each.`]
        : []),
    ],
  };
}

function latencyOf(summary: Summary | undefined): Latency {
  const at = (q: number) => summary?.percentiles.find((one) => one.q === q)?.value ?? null;
  return { p50: at(50), p90: at(90) };
}
