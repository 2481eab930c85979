// The plan's workload as one that the generators know.
import type { Workload } from '../../core/workload/index.ts';
import { drawnLengths } from './lengths.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface TrafficOptions {
  readonly workload: PlanWorkload;
  /** Requests to send in all. */
  readonly requests: number;
  /** Closed loop of so many clients; undefined: at `requestsPerSecond`. */
  readonly clients: number | undefined;
  /** About how long a request takes: what pauses between the turns of a conversation come from. */
  readonly e2eSeconds: number;
  /** From the client to the engine's queue: as if clients waited so long before they send. */
  readonly wayInSeconds: number;
}

/** Requests of a conversation, and of an agent's task, on average. */
const conversationTurns = 6;
const agentSteps = 10;
/** Of an agent's shared part, the share that its role's instructions and tools make. */
const roleShare = 0.3;
/** Least tokens that a turn adds. */
const turnTokensMin = 10;

/**
 * none: single requests. system-prompt and rag: groups of prompts behind a shared beginning.
 * multi-turn and agents: conversations, as many under way as there are groups, that pause between
 * turns so long that `clients` of them are being answered.
 */
export function planTraffic(options: TrafficOptions): Workload {
  const { workload, requests, clients, e2eSeconds, wayInSeconds } = options;
  const { promptTokens, outputTokens, prefixReuse, sharedPrefixTokens, prefixGroups } = workload;
  const answer = drawnLengths(outputTokens, outputTokens.mean);
  const arrivals =
    clients === undefined
      ? ({ process: 'poisson', rate: workload.requestsPerSecond ?? 1 } as const)
      : // Clients that begin together would stay in step for longer than a run lasts.
        { clients, thinkSeconds: wayInSeconds, rampSeconds: e2eSeconds };
  const common = { arrivals, requests, seconds: undefined };
  if (prefixReuse === 'multi-turn' || prefixReuse === 'agents')
    return conversations(options, answer);
  if (sharedPrefixTokens < 1) {
    return {
      ...common,
      kind: 'single',
      settings: { prompt: drawnLengths(promptTokens, promptTokens.mean), answer },
    };
  }
  const primed = primedGroups(workload, requests);
  return {
    ...common,
    requests: requests + primed,
    kind: 'shared-prefix',
    settings: {
      // Each group is asked before any is asked again, so of more groups the rest would never be.
      groups: Math.min(prefixGroups, requests),
      promptsPerGroup: Math.ceil(requests / prefixGroups),
      systemPrompt: sharedPrefixTokens,
      question: drawnLengths(promptTokens, promptTokens.mean - sharedPrefixTokens),
      answer,
      order: 'shuffled',
      // A fleet that has run for a while has seen them all.
      primed: primed > 0,
    },
  };
}

/** Requests that come first, to fill the caches; the same number as there are groups, or none. */
export function primedGroups(workload: PlanWorkload, requests: number): number {
  const { sharedPrefixTokens, prefixGroups } = workload;
  const isPrimed = !isConversation(workload) && sharedPrefixTokens >= 1;
  return isPrimed && prefixGroups <= requests ? prefixGroups : 0;
}

/**
 * A chain of m turns has prompts of system + task + (m − 1) · (answer + next turn) on average, since
 * chains end after each turn with chance 1 / m.
 */
function conversations(options: TrafficOptions, answer: unknown): Workload {
  const { workload, requests, clients, e2eSeconds } = options;
  const { promptTokens, outputTokens, sharedPrefixTokens, prefixGroups, prefixReuse } = workload;
  const isAgents = prefixReuse === 'agents';
  const system = Math.max(1, Math.round(isAgents ? sharedPrefixTokens * roleShare : 1));
  const room = promptTokens.mean - system;
  const wanted = isAgents ? agentSteps : conversationTurns;
  const fitting = (room + outputTokens.mean) / (outputTokens.mean + turnTokensMin);
  const steps = Math.max(1, Math.min(wanted, fitting));
  const turn = Math.max(turnTokensMin, (room - (steps - 1) * outputTokens.mean) / steps);
  const lengths = drawnLengths(promptTokens, turn);
  const settings = {
    roles: 1,
    systemPrompt: system,
    task: lengths,
    steps,
    toolResult: lengths,
    answer,
  };
  if (clients === undefined) {
    const rate = (workload.requestsPerSecond ?? 1) / steps;
    return {
      kind: 'agents',
      settings: { ...settings, toolSeconds: e2eSeconds },
      arrivals: { process: 'poisson', rate },
      requests,
      seconds: undefined,
    };
  }
  const underWay = Math.max(clients, prefixGroups);
  // More than there are requests would never send one.
  const played = Math.min(underWay, Math.max(clients, requests));
  return {
    kind: 'agents',
    settings: { ...settings, toolSeconds: e2eSeconds * (underWay / clients - 1) },
    arrivals: { clients: played, thinkSeconds: 0, rampSeconds: e2eSeconds * (played / clients) },
    requests,
    seconds: undefined,
  };
}

/** About the time per output token of a busy engine, for lengths of runs and of pauses. Seconds. */
export const secondsPerOutputToken = 0.03;
/** A run at a rate lasts so many times as long as what comes at that rate. */
const lifetimesOfRun = 3;
/** Most requests of a run that its rate alone asks for. */
const requestsAtRateMax = 1200;

/**
 * Requests until a fleet at a rate is as busy as it will be, and for about as long again: an answer, or
 * a whole conversation with its pauses, must have had time to end. 0 in a closed loop.
 */
export function requestsAtRate(workload: PlanWorkload): number {
  const { outputTokens, requestsPerSecond, concurrency } = workload;
  if (requestsPerSecond === undefined || concurrency !== undefined) return 0;
  const answerSeconds = outputTokens.mean * secondsPerOutputToken;
  const seconds = answerSeconds * (isConversation(workload) ? 2 * conversationTurns : 1);
  return Math.min(requestsAtRateMax, Math.ceil(requestsPerSecond * seconds * lifetimesOfRun));
}

/** Whether requests follow each other in conversations. */
export function isConversation({ prefixReuse }: PlanWorkload): boolean {
  return prefixReuse === 'multi-turn' || prefixReuse === 'agents';
}

/** KV tokens that come into use again and again: what the caches of all engines should hold. */
export function workingSetTokens(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, sharedPrefixTokens, prefixGroups, prefixReuse } = workload;
  if (prefixReuse === 'multi-turn' || prefixReuse === 'agents') {
    return Math.max(concurrency, prefixGroups) * (promptTokens.mean + outputTokens.mean);
  }
  const own = promptTokens.mean - sharedPrefixTokens + outputTokens.mean / 2;
  return sharedPrefixTokens * prefixGroups + concurrency * own;
}

/** KV tokens that the requests in flight hold at the peak, shared parts once. */
export function heldTokens(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, sharedPrefixTokens, prefixGroups, prefixReuse } = workload;
  const isConversation = prefixReuse === 'multi-turn' || prefixReuse === 'agents';
  const shared = isConversation ? 0 : sharedPrefixTokens;
  const own = promptTokens.mean - shared + outputTokens.mean;
  return concurrency * own + Math.min(prefixGroups, concurrency) * shared;
}
