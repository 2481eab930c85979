// A kind of workload: its keys in the workload file, and the conversations that they describe.
import type { z } from 'zod';
import type { Random } from '../../base/index.ts';
import type { ArrivalProcess } from '../arrivals.ts';
import type { NewConversation } from '../conversations.ts';
import type { PromptTree } from '../prompt-tree.ts';

/** Closed loop: a number of clients, each with one request at a time. */
export interface Clients {
  readonly clients: number;
  /** Mean pause between a response and the next request, exponentially distributed. */
  readonly thinkSeconds: number;
  /** Time over which the clients begin one by one, at equal intervals; 0: all at once. @default 10 ms each, at most 1 s in all */
  readonly rampSeconds?: number | undefined;
}

/** Inputs for the conversations of a kind. */
export interface KindContext {
  readonly tree: PromptTree;
  readonly random: Random;
  /** Undefined where the kind has its own arrivals. */
  readonly arrivals: ArrivalProcess | Clients | undefined;
}

/** `S`: the validated keys of the kind. */
export interface Kind<S> {
  readonly name: string;
  /** One sentence for the reference. */
  readonly meaning: string;
  readonly fields: z.ZodRawShape;
  /** Whether the key `arrivals` applies; otherwise the kind's own keys set the times. */
  readonly takesArrivals: boolean;
  /** Number of requests of one whole pass, for runs without a limit; undefined if there is no end. */
  requests?(settings: S): number | undefined;
  conversations(settings: S, context: KindContext): Iterable<NewConversation>;
  /**
   * Requests per second that clients intend to send if they wait for responses. Omitted where none wait, or no
   * rate is intended.
   */
  offeredRate?(settings: S, arrivals: ArrivalProcess | Clients | undefined): number | undefined;
}
