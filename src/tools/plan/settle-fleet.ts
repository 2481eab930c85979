// Settles one candidate fleet: what the rules say for its size, and the offload that its simulated runs confirm.
import { kvBytesPerToken } from '../../core/engine/index.ts';
import { type Decision, decide, type OffloadKind, type PlanFacts } from '../../core/plan/index.ts';
import type { Thresholds } from '../../core/values/index.ts';
import { figure, gainOf } from './estimates.ts';
import { type EngineLayout, resized } from './layout.ts';
import { type LayoutRuns, layoutRuns, layoutWithOffload } from './layout-runs.ts';
import { offloadSize, requestsFor, requestsMin, routing, seqsFor } from './layout-settings.ts';
import { noModelError } from './model-errors.ts';
import type { Routing } from './plan.ts';
import {
  effectiveSetTokens,
  heldTokens,
  requestsAtRate,
  secondsPerOutputToken,
  sharesPrefixes,
  workingSetTokens,
} from './plan-traffic.ts';
import { playLayout } from './play.ts';
import type { Played, Slo } from './played.ts';
import type { PlanOperations, PlanWorkload } from './resolve-input.ts';
import { type OffloadRun, type SettledOffload, settleOffload } from './settle-offload.ts';
import type { SizingFigures } from './sizing.ts';

export interface FleetQuestion {
  readonly workload: PlanWorkload;
  readonly operations: PlanOperations;
  readonly slo: Slo;
  readonly thresholds: Thresholds;
  readonly loraAdapters: number;
  readonly maxNumSeqs: number | undefined;
  readonly wants: PlanFacts['wants'];
  readonly seed: number;
}

export interface SettledFleet {
  readonly engines: number;
  /** With the maxNumSeqs of the values file, which affects the size of the KV cache. */
  readonly layout: EngineLayout;
  readonly facts: PlanFacts;
  /** With the settled offload. */
  readonly decision: Decision;
  readonly offload: SettledOffload;
  readonly routing: Routing;
  /** Working set over the KV cache in HBM where requests can be routed to it. */
  readonly workingSet: number;
  /** Host memory of layouts with offload, even if the decision is none. GiB per engine. */
  readonly offloadGiB: number;
  /** Host memory that offload leaves unused, in GiB per engine. */
  readonly spareGiB: number;
  /** Number of requests in one simulated fleet. */
  readonly requests: number;
  readonly runs: LayoutRuns;
}

/** Settles a fleet of this many engines; a plan without Kubernetes has one. */
export function settleFleet(
  sized: EngineLayout,
  wantedEngines: number,
  question: FleetQuestion,
): SettledFleet {
  const { workload, operations, thresholds, slo, seed } = question;
  const concurrency = concurrencyOf(sized, wantedEngines, question);
  const batchedFor = (engines: number) =>
    resized(sized, { maxNumSeqs: question.maxNumSeqs ?? seqsFor(sized, concurrency / engines) });
  const planned = isSingle(question) ? 1 : wantedEngines;
  const facts = {
    ...factsOf(batchedFor(planned), planned, concurrency, question),
    engines: wantedEngines,
  };
  const byRules = decide(facts, thresholds);
  const engines = byRules.stack === 'single-engine' ? 1 : wantedEngines;
  const layout = batchedFor(engines);
  const routed = routing(byRules, engines, workload, operations.routing);
  const setTokens = workingSetTokens(workload, concurrency);
  const workingSet = workingSetOf(layout, engines, concurrency, question);
  const { offloadGiB, spareGiB } = offloadSize(layout, setTokens, operations.hostDramGiB);
  const requests = requestsFor(workload, concurrency);
  const runs = layoutRuns(
    {
      ...{ layout, engines, policy: routed.simulated, workload, slo, requests },
      // The engines of the values file publish KV events, which matter where prompts share something.
      kvEvents: byRules.stack !== 'single-engine' && engines > 1 && sharesPrefixes(workload),
      clients: workload.concurrency,
      e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    },
    seed,
  );
  const offload = settledOffload(byRules, { layout, offloadGiB, workingSet, workload, runs });
  const { kvOffload, because } = offload;
  return {
    ...{ engines, layout, facts, offload, workingSet, offloadGiB, spareGiB, requests, runs },
    decision: { ...byRules, kvOffload, kvOffloadBecause: because },
    routing: routed,
  };
}

/** Returns the figures that decide about the size: those of the settled layout, as the page prints them. */
export function sizingFigures({ runs, decision, offloadGiB }: SettledFleet): SizingFigures {
  const { base } = runs;
  const hasGoals = Object.values(base.slo).some((goal) => goal !== undefined);
  // A closed loop is never overloaded, and without goals every request meets them.
  if (base.clients !== undefined && !hasGoals) return { goodput: 1, isOverloaded: false };
  const played = runs.of(layoutWithOffload(base, decision.kvOffload, offloadGiB));
  const overloaded = played.filter(({ isOverloaded }) => isOverloaded).length;
  return {
    goodput: meanOf(played, ({ goodput }) => goodput),
    isOverloaded: overloaded * 2 > played.length,
  };
}

function settledOffload(
  byRules: Decision,
  {
    layout,
    offloadGiB,
    workingSet,
    workload,
    runs,
  }: Pick<SettledFleet, 'layout' | 'offloadGiB' | 'workingSet' | 'runs'> & {
    readonly workload: PlanWorkload;
  },
): SettledOffload {
  const { kvOffload, kvOffloadBecause: because } = byRules;
  if (kvOffload === 'none') return { kvOffload, because, disagreement: undefined };
  const runsOf = (kind: OffloadKind) => ({
    name: kind,
    runs: runs.of(layoutWithOffload(runs.base, kind, offloadGiB)),
  });
  const [none, native, lmcache] = [runsOf('none'), runsOf('native'), runsOf('lmcache')];
  const setGiB = (workingSet * layout.kvTokens * kvBytesPerToken(layout.model)) / 2 ** 30;
  return settleOffload(byRules, {
    gains: { native: gainOf(native, none), lmcache: gainOf(lmcache, none) },
    nativeOverLmcache: gainOf(native, lmcache),
    runs: {
      none: offloadRun(none.runs),
      native: offloadRun(native.runs),
      lmcache: offloadRun(lmcache.runs),
    },
    ...{ offloadGiB, workingSet },
    hostShareOfSet: setGiB > 0 ? Math.min(1, offloadGiB / setGiB) : 1,
    sharesPrefixes: sharesPrefixes(workload),
  });
}

function offloadRun(runs: readonly Played[]): OffloadRun {
  const mean = (pick: (played: Played) => number) => figure(runs, pick).mean;
  return {
    throughput: mean(({ throughput }) => throughput),
    ttftMs: mean(({ ttftMs }) => ttftMs),
    hitRate: mean(({ hitRate }) => hitRate),
  };
}

function meanOf(runs: readonly Played[], pick: (played: Played) => number): number {
  return runs.reduce((sum, played) => sum + pick(played), 0) / runs.length;
}

/** Returns the requests in flight: given, or simulated for the given rate. */
function concurrencyOf(
  layout: EngineLayout,
  engines: number,
  { workload, seed }: FleetQuestion,
): number {
  if (workload.concurrency !== undefined) return workload.concurrency;
  const { concurrency } = playLayout({
    ...{ layout, engines, workload, clients: undefined, slo: {}, seed },
    ...{ kvOffload: 'none', offloadGiB: 0, policy: engines > 1 ? 'predictive' : 'roundrobin' },
    requests: Math.max(requestsMin, requestsAtRate(workload)),
    e2eSeconds: workload.outputTokens.mean * secondsPerOutputToken,
    error: noModelError,
  });
  return Math.max(1, Math.round(concurrency));
}

/** Whether the plan has one engine, however many were requested. */
function isSingle({ operations, wants }: FleetQuestion): boolean {
  return !operations.kubernetes || wants.stack === 'single-engine';
}

function workingSetOf(
  layout: EngineLayout,
  engines: number,
  concurrency: number,
  { workload, operations }: FleetQuestion,
): number {
  const tokens = effectiveSetTokens(workload, concurrency, {
    engines,
    policy: operations.routing,
  });
  return tokens / (layout.kvTokens * engines);
}

function factsOf(
  layout: EngineLayout,
  engines: number,
  concurrency: number,
  question: FleetQuestion,
): PlanFacts {
  const { workload, operations, loraAdapters, wants } = question;
  const { kubernetes, handRolled, hbmMonitoring, multiTenant, needs } = operations;
  return {
    promptTokens: workload.promptTokens.mean,
    concurrency,
    prefixReuse: workload.prefixReuse,
    sharedPrefixTokens: workload.sharedPrefixTokens,
    preemptionsPerMinute: workload.preemptionsPerMinute,
    kvDemand: heldTokens(workload, concurrency) / (layout.kvTokens * engines),
    workingSet: workingSetOf(layout, engines, concurrency, question),
    engines,
    loraAdapters,
    ...{ multiTenant, kubernetes, handRolled, hbmMonitoring, needs, wants },
  };
}
