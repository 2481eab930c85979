// The settings of a fault run, drawn from its seed.
import type {
  AdmissionLimits,
  AttemptEffects,
  AttemptMachine,
  AttemptWatch,
  ClientPatience,
  DeadlineSettings,
  HedgePlan,
  RetryPolicy,
} from '../attempts/index.ts';
import { defaultDeadlines, defaultRetryPolicy, endlessPatience } from '../attempts/index.ts';
import { type Random, randomInteger, seededRandom } from '../base/index.ts';
import { policyNames, type SaturationLimits } from '../routing/index.ts';
import { calmed, drawFaults, type FaultOptions } from './fault-options.ts';
import { strikeNames } from './strike-name.ts';
import type { StrikeSettings } from './strikes.ts';

/** Arguments as those of the constructor of `AttemptMachine`. */
export type MachineFactory = (
  effects: AttemptEffects,
  policy: RetryPolicy,
  watch: AttemptWatch,
  patience: ClientPatience,
  hedges: HedgePlan | undefined,
) => AttemptMachine;

/** An admission queue, and when it is used: far earlier than in production, as fleets and requests are small. */
export interface FaultAdmission extends AdmissionLimits {
  readonly saturation: SaturationLimits;
}

/** Second attempts: with a fixed delay, as a run is too short to measure one. */
export interface FaultHedging {
  /** Hedges per request. */
  readonly budgetShare: number;
  readonly delaySeconds: number;
}

export interface FaultSettings {
  readonly seed: number;
  readonly engines: number;
  readonly routers: number;
  readonly requests: number;
  /** Mean gap between two requests. */
  readonly gapSeconds: number;
  /** Name of the routing policy. */
  readonly policy: string;
  readonly retryPolicy: RetryPolicy;
  /** Whether streams can be continued by another engine. */
  readonly migrates: boolean;
  readonly deadlines: DeadlineSettings;
  /** How long clients wait, if they say so. */
  readonly patience: ClientPatience;
  readonly faults: FaultOptions;
  /** Number of engines that faults can strike; the others always work. By default, all. */
  readonly faultyEngines?: number;
  /** Engines that fail in turn, beside the faults. */
  readonly strikes?: StrikeSettings;
  /** Maximum length of a response. @default 24 */
  readonly outputTokensMax?: number;
  /** The admission queue of each router; undefined for none. */
  readonly admission: FaultAdmission | undefined;
  /** Undefined if requests are never sent to two engines at once. */
  readonly hedging: FaultHedging | undefined;
  /** Replaces the machine of production; tests of the harness use broken ones. */
  readonly createMachine?: MachineFactory;
}

/** A long run has larger fleets, whose engines have time to recover between faults. */
const longEnginesMin = 4;
const longEnginesMax = 12;
/** What a mean request costs an engine: the prefill of 200 tokens, and its share of the steps of decode. */
const requestSeconds = 0.125;
/** Faults of a long run are as many times less likely. */
const longCalm = 20;

/** Small fleets: the order of events matters, and so does the time of thousands of seeds. */
const enginesMax = 4;
const routersMax = 3;
const requestsMax = 32;
/** Share of the runs whose routers queue requests. */
const queueingShare = 0.4;
/** Share of the runs whose routers hedge requests. */
const hedgingShare = 0.5;
/** Prompt tokens that may wait at an engine in any case are at most these. */
const promptTokensMin = 400;

/** @returns Equal settings for equal seeds. */
export function faultSettings(seed: number): FaultSettings {
  const random = seededRandom(seed);
  const timeout = () => (random.next() < 0.5 ? Number.POSITIVE_INFINITY : 0.2 + random.next() * 2);
  return {
    seed,
    engines: 1 + randomInteger(random, enginesMax),
    routers: 1 + randomInteger(random, routersMax),
    requests: 4 + randomInteger(random, requestsMax - 3),
    gapSeconds: 0.02 + random.next() * 0.2,
    policy: policyNames[randomInteger(random, policyNames.length)] as string,
    retryPolicy: { ...defaultRetryPolicy, reroutesMax: randomInteger(random, 4) },
    deadlines: {
      firstByteSeconds: random.next() < 0.2 ? 'predicted' : timeout(),
      streamIdleSeconds: timeout(),
      engineStallSeconds: timeout(),
      totalSeconds: random.next() < 0.8 ? Number.POSITIVE_INFINITY : 1 + random.next() * 5,
      engineWaitSeconds: defaultDeadlines.engineWaitSeconds,
    },
    patience: {
      totalSeconds: random.next() < 0.9 ? Number.POSITIVE_INFINITY : 0.5 + random.next() * 5,
      firstByteSeconds: random.next() < 0.8 ? Number.POSITIVE_INFINITY : 0.2 + random.next() * 3,
    },
    faults: drawFaults(random),
    // Drawn last, so that the other settings of a seed stay the same.
    migrates: random.next() < 0.7,
    admission: random.next() < queueingShare ? drawAdmission(random) : undefined,
    hedging: random.next() < hedgingShare ? drawHedging(random) : undefined,
  };
}

/** A first byte takes some tenths of a second. */
function drawHedging(random: Random): FaultHedging {
  return { budgetShare: 0.05 + random.next() * 0.95, delaySeconds: random.next() * 0.5 };
}

function drawAdmission(random: Random): FaultAdmission {
  return {
    queueTimeoutSeconds: 0.3 + random.next() * 3,
    queuedRequestsMax: 1 + randomInteger(random, 8),
    saturation: {
      waitSeconds: 0.02 + random.next() * 0.2,
      waitingMin: randomInteger(random, 3),
      prefillTokensMin: randomInteger(random, promptTokensMin),
      waitingMax: 1 + randomInteger(random, 4),
      kvUsage: 0.3 + random.next() * 0.7,
    },
  };
}

/**
 * Settings of a long run: a fleet in which some engine fails every few seconds, and the others go on.
 *
 * @returns Equal settings for equal arguments.
 */
export function longFaultSettings(seed: number, requests: number): FaultSettings {
  const random = seededRandom(seed + 3_000_000);
  const { faults, ...settings } = faultSettings(seed);
  const engines = longEnginesMin + randomInteger(random, longEnginesMax - longEnginesMin + 1);
  const utilization = 0.2 + random.next() * 0.5;
  return {
    ...{ ...settings, engines, requests, faults: calmed(faults, longCalm), admission: undefined },
    gapSeconds: requestSeconds / (engines * utilization),
  };
}

/** Faults of a chaos run: eight engines and two routers, as in bench/chaos.ts. */
const chaosEngines = 8;
const chaosRouters = 2;
const chaosOutputTokensMax = 120;
/** What a mean request costs an engine: as `requestSeconds`, with longer responses. */
const chaosRequestSeconds = 0.2;

/**
 * Settings of a chaos run: engines fail in turn, each with all of its requests and for some seconds, at most half of them
 * at once. The others have room for all requests, so that no client should notice.
 *
 * @returns Equal settings for equal arguments.
 */
export function chaosFaultSettings(seed: number, requests: number): FaultSettings {
  const random = seededRandom(seed + 4_000_000);
  const seconds = 1 + random.next() * 7;
  const utilization = 0.1 + random.next() * 0.25;
  return {
    ...{ ...faultSettings(seed), engines: chaosEngines, routers: chaosRouters, requests },
    ...{ retryPolicy: defaultRetryPolicy, deadlines: defaultDeadlines, patience: endlessPatience },
    ...{ migrates: true, admission: undefined, hedging: undefined },
    faults: { lateUpdates: { probability: 0.02, seconds: 0.1 } },
    gapSeconds: chaosRequestSeconds / (chaosEngines * utilization),
    outputTokensMax: chaosOutputTokensMax,
    strikes: {
      names: shuffled(strikeNames, random),
      everySeconds: seconds * (0.1 + random.next() * 0.5),
      seconds,
    },
  };
}

function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const left = [...items];
  return items.map(() => left.splice(randomInteger(random, left.length), 1)[0] as Item);
}
