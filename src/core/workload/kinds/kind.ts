// What a kind of workload is: its keys in the workload file, and the conversations that they mean.
import type { z } from 'zod';
import type { Random } from '../../base/index.ts';
import type { ArrivalProcess } from '../arrivals.ts';
import type { NewConversation } from '../conversations.ts';
import type { PromptTree } from '../prompt-tree.ts';

/** Closed loop: so many clients, each with one request at a time. */
export interface Clients {
  readonly clients: number;
  /** Mean pause between an answer and the next request, exponentially distributed. */
  readonly thinkSeconds: number;
  /** They begin one by one, evenly over so long. @default 0 */
  readonly rampSeconds?: number | undefined;
}

/** What the conversations of a kind are made from. */
export interface KindContext {
  readonly tree: PromptTree;
  readonly random: Random;
  /** Undefined where the kind has its own. */
  readonly arrivals: ArrivalProcess | Clients | undefined;
}

/** `S`: the checked keys of the kind. */
export interface Kind<S> {
  readonly name: string;
  /** One sentence for the reference. */
  readonly meaning: string;
  readonly fields: z.ZodRawShape;
  /** Whether `arrivals` says when it sends; else its own keys do. */
  readonly takesArrivals: boolean;
  /** Of `--requests`-less runs: how many requests make one whole pass; undefined if there is no end. */
  requests?(settings: S): number | undefined;
  conversations(settings: S, context: KindContext): Iterable<NewConversation>;
  /**
   * Requests a second that clients who wait for answers mean to send. Left out where nobody waits,
   * or nobody means to send a certain number.
   */
  offeredRate?(settings: S, arrivals: ArrivalProcess | Clients | undefined): number | undefined;
}
