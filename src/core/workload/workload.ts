// A workload: what kind of conversations, when they begin, and when all ends.
import { seededRandom } from '../base/index.ts';
import type { RequestSource } from '../traces/index.ts';
import type { ArrivalProcess } from './arrivals.ts';
import { conversationSource } from './conversations.ts';
import { agents } from './kinds/agents.ts';
import type { Clients, Kind } from './kinds/kind.ts';
import { multiRoundQa } from './kinds/multi-round-qa.ts';
import { rag } from './kinds/rag.ts';
import { isClosed } from './kinds/scheduled.ts';
import { sharedPrefix } from './kinds/shared-prefix.ts';
import { single } from './kinds/single.ts';
import { PromptTree } from './prompt-tree.ts';

/** Every kind by its name in the workload file. Each checks its own settings by its `fields`. */
// biome-ignore lint/suspicious/noExplicitAny: each kind has settings of its own, checked by its fields.
export const workloadKinds: ReadonlyMap<string, Kind<any>> = new Map(
  [single, sharedPrefix, multiRoundQa, rag, agents].map((kind) => [kind.name, kind]),
);

/** A workload file, checked, with every default. */
export interface Workload {
  readonly kind: string;
  /** By the keys of the kind's fields. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly arrivals: ArrivalProcess | Clients | undefined;
  /** No request is sent after so many; undefined: no such limit. */
  readonly requests: number | undefined;
  /** No request is sent from then on; undefined: no such limit. */
  readonly seconds: number | undefined;
}

export interface WorkloadRun {
  readonly source: RequestSource;
  /**
   * Requests a second that clients who wait for answers mean to send; undefined where nobody waits,
   * and in a closed loop, which means to send no certain number.
   */
  readonly offeredRate: number | undefined;
  /** At most so many requests come, if that is known. */
  readonly requestsMax: number | undefined;
  /** Of a closed loop. */
  readonly clients: number | undefined;
}

/**
 * The workload as a source of requests; equal seeds give equal requests for equal answer times.
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
