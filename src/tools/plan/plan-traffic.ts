// Converts the workload of a plan to one of the workload generators.
import type { Workload } from '../../core/workload/index.ts';
import { drawnLengths } from './lengths.ts';
import type { PlanWorkload } from './resolve-input.ts';

export interface TrafficOptions {
  readonly workload: PlanWorkload;
  /** Total number of requests. */
  readonly requests: number;
  /** Number of clients of a closed loop; undefined: requests arrive at `requestsPerSecond`. */
  readonly clients: number | undefined;
  /** Approximate duration of a request; determines the pauses between the turns of a conversation. */
  readonly e2eSeconds: number;
  /** Time from the client to the engine's queue, modelled as a pause before each request. */
  readonly wayInSeconds: number;
  /** Prompt tokens per second that all engines together compute, for the time that it takes to fill their caches. */
  readonly prefillTokensPerSecond: number;
}

/** Most prefixes with which caches are filled; with more of them, those that are used next are rarely in any cache. */
const primedMax = 4096;
/** Time to fill caches, as a multiple of what the engines need: prompts are spread unevenly. */
const primingSlack = 1.3;

/** Mean number of requests in a conversation, and in an agent's task. */
const conversationTurns = 6;
const agentSteps = 10;
/** Share of an agent's shared prefix that is the role's instructions and tools. */
const roleShare = 0.3;
/** Minimum number of tokens that a turn adds. */
const turnTokensMin = 10;

/**
 * none: independent requests. system-prompt and rag: groups of prompts with a shared prefix. multi-turn and agents:
 * one active conversation per group, with pauses between turns such that `clients` of them wait for a response.
 */
export function planTraffic(options: TrafficOptions): Workload {
  const { workload, requests, clients, e2eSeconds, wayInSeconds } = options;
  const { promptTokens, outputTokens, prefixReuse, sharedPrefixTokens, prefixGroups } = workload;
  const { loraAdapters: adapters } = workload;
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
  const primed = primedGroups(workload);
  // Few prefixes are sent within the warm-up.
  const primingSeconds =
    primed > requests
      ? (primingSlack * primed * sharedPrefixTokens) / options.prefillTokensPerSecond
      : 0;
  return {
    ...common,
    requests: requests + primed,
    kind: 'shared-prefix',
    settings: {
      groups: prefixGroups,
      promptsPerGroup: Math.ceil(requests / prefixGroups),
      systemPrompt: sharedPrefixTokens,
      question: drawnLengths(promptTokens, promptTokens.mean - sharedPrefixTokens),
      answer,
      order: 'shuffled',
      // A fleet that has run for a while has seen all prefixes.
      primed: primed === 0 ? false : primed,
      primingSeconds,
      adapters,
    },
  };
}

/** Returns the number of initial requests that fill the caches: one per group, up to a limit, or none. */
export function primedGroups(workload: PlanWorkload): number {
  const { sharedPrefixTokens, prefixGroups } = workload;
  return !isConversation(workload) && sharedPrefixTokens >= 1
    ? Math.min(prefixGroups, primedMax)
    : 0;
}

/**
 * The mean prompt of a chain of m turns is system + task + (m − 1) · (response + next turn), because chains end
 * after each turn with probability 1 / m.
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
    // Each adapter caches the instructions for itself.
    roles: Math.max(1, workload.loraAdapters),
    adapters: workload.loraAdapters,
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
  // More clients than requests would never send one.
  const played = Math.min(underWay, Math.max(clients, requests));
  return {
    kind: 'agents',
    settings: { ...settings, toolSeconds: e2eSeconds * (underWay / clients - 1) },
    arrivals: { clients: played, thinkSeconds: 0, rampSeconds: e2eSeconds * (played / clients) },
    requests,
    seconds: undefined,
  };
}

/** Approximate time per output token of a busy engine in seconds, for the length of runs and pauses. */
export const secondsPerOutputToken = 0.03;
/** Length of a run at a rate over the lifetime of a request or conversation. */
const lifetimesOfRun = 3;
/** Maximum number of requests of a run at a rate. */
const requestsAtRateMax = 1200;

/**
 * Returns the number of requests after which a fleet at a rate has reached and measured its steady state: a response,
 * or a conversation with its pauses, must have had time to end. 0 in a closed loop.
 */
export function requestsAtRate(workload: PlanWorkload): number {
  const { outputTokens, requestsPerSecond, concurrency } = workload;
  if (requestsPerSecond === undefined || concurrency !== undefined) return 0;
  const answerSeconds = outputTokens.mean * secondsPerOutputToken;
  const seconds = answerSeconds * (isConversation(workload) ? 2 * conversationTurns : 1);
  return Math.min(requestsAtRateMax, Math.ceil(requestsPerSecond * seconds * lifetimesOfRun));
}

/** Whether prompts share prefixes, so that cached prefixes are reused. */
export function sharesPrefixes({ prefixReuse, sharedPrefixTokens }: PlanWorkload): boolean {
  return prefixReuse !== 'none' || sharedPrefixTokens > 0;
}

/** Whether requests belong to conversations. */
export function isConversation({ prefixReuse }: PlanWorkload): boolean {
  return prefixReuse === 'multi-turn' || prefixReuse === 'agents';
}

/** Returns the working set: KV tokens that are reused and should be cached. */
export function workingSetTokens(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, sharedPrefixTokens, prefixGroups, prefixReuse } = workload;
  if (prefixReuse === 'multi-turn' || prefixReuse === 'agents') {
    return Math.max(concurrency, prefixGroups) * (promptTokens.mean + outputTokens.mean);
  }
  const own = promptTokens.mean - sharedPrefixTokens + outputTokens.mean / 2;
  return sharedPrefixTokens * prefixGroups + concurrency * own;
}

/** Policies that send a prompt anywhere, so that each engine comes to hold all that is shared. */
const spreadingPolicies: readonly (string | undefined)[] = ['roundrobin', 'leastloaded'];

/** Returns the working set that the engines together have to hold: with a spreading router, each holds what is shared. */
export function effectiveSetTokens(
  workload: PlanWorkload,
  concurrency: number,
  { engines, policy }: { readonly engines: number; readonly policy: string | undefined },
): number {
  const tokens = workingSetTokens(workload, concurrency);
  // A session stays with its engine, but a document belongs to many sessions.
  const spreads =
    spreadingPolicies.includes(policy) || (policy === 'session' && !isConversation(workload));
  if (!spreads) return tokens;
  const shared = isConversation(workload)
    ? tokens
    : workload.sharedPrefixTokens * workload.prefixGroups;
  return tokens + shared * (engines - 1);
}

/** Returns the KV tokens of the requests in flight at the peak; shared prefixes count once. */
export function heldTokens(workload: PlanWorkload, concurrency: number): number {
  const { promptTokens, outputTokens, sharedPrefixTokens, prefixGroups, prefixReuse } = workload;
  const isConversation = prefixReuse === 'multi-turn' || prefixReuse === 'agents';
  const shared = isConversation ? 0 : sharedPrefixTokens;
  const own = promptTokens.mean - shared + outputTokens.mean;
  return concurrency * own + Math.min(prefixGroups, concurrency) * shared;
}
