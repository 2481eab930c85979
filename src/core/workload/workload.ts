// A workload: the kind of its conversations, their start times, and its end.
import { seededRandom } from '../base/index.ts';
import type { RequestSource } from '../traces/index.ts';
import type { ArrivalProcess } from './arrivals.ts';
import { type ConversationRequest, conversationSource } from './conversations.ts';
import { agents } from './kinds/agents.ts';
import type { Clients, Kind } from './kinds/kind.ts';
import { lora } from './kinds/lora.ts';
import { multiRoundQa } from './kinds/multi-round-qa.ts';
import { rag } from './kinds/rag.ts';
import { isClosed } from './kinds/scheduled.ts';
import { sharedPrefix } from './kinds/shared-prefix.ts';
import { single } from './kinds/single.ts';
import { PromptTree } from './prompt-tree.ts';

/** Every kind by its name in the workload file. The `fields` of a kind validate its settings. */
// biome-ignore lint/suspicious/noExplicitAny: each kind has settings of its own, checked by its fields.
export const workloadKinds: ReadonlyMap<string, Kind<any>> = new Map(
  [single, sharedPrefix, multiRoundQa, rag, agents, lora].map((kind) => [kind.name, kind]),
);

/** A validated workload file with all defaults. */
export interface Workload {
  readonly kind: string;
  /** By the keys of the kind's fields. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly arrivals: ArrivalProcess | Clients | undefined;
  /** Maximum number of requests; undefined for no limit. */
  readonly requests: number | undefined;
  /** Time after which no request is sent; undefined for no limit. */
  readonly seconds: number | undefined;
}

export interface WorkloadRun {
  readonly source: RequestSource<ConversationRequest>;
  /**
   * Requests per second that clients intend to send if they wait for responses; undefined where none wait, and in
   * a closed loop, which has no intended rate.
   */
  readonly offeredRate: number | undefined;
  /** Maximum number of requests, if it is known. */
  readonly requestsMax: number | undefined;
  /** Number of clients of a closed loop. */
  readonly clients: number | undefined;
}

/**
 * Returns the workload as a source of requests; equal seeds give equal requests for equal response times.
 *
 * @param options.blockTokens Tokens per block id: the block size of the engines, or a multiple.
 */
export function startWorkload(
  workload: Workload,
  options: { readonly blockTokens: number; readonly seed: number },
): WorkloadRun {
  const { settings, arrivals, requests, seconds } = workload;
  const kind = workloadKinds.get(workload.kind);
  if (kind === undefined) throw new RangeError(`No workload is of kind ${workload.kind}`);
  const tree = new PromptTree(options.blockTokens);
  const random = seededRandom(options.seed);
  const requestsMax = requests ?? (seconds === undefined ? kind.requests?.(settings) : undefined);
  return {
    source: conversationSource({
      tree,
      conversations: kind.conversations(settings, { tree, random, arrivals }),
      requestsMax: requestsMax ?? Number.POSITIVE_INFINITY,
      untilSeconds: seconds ?? Number.POSITIVE_INFINITY,
    }),
    offeredRate: kind.offeredRate?.(settings, arrivals),
    requestsMax,
    clients: arrivals && isClosed(arrivals) ? arrivals.clients : undefined,
  };
}
