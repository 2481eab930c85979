// Updates that routers in front of the same engines exchange, so that each knows the whole load.
import type { Outcome, PromptBlockNames } from './contract.ts';

/** `attempt` is the sender's own number for the attempt, never reused. */
export type AttemptUpdate = SentUpdate | FirstByteUpdate | FinishedUpdate;

/** A request was sent to an engine. */
export interface SentUpdate {
  readonly kind: 'sent';
  readonly attempt: number;
  readonly url: string;
  readonly promptTokens: number;
  /** The part of them that the sender expects in the engine's cache. */
  readonly cachedTokens: number;
  /** See `RoutingRequest.stream`. */
  readonly stream: boolean;
  /**
   * Names instead of the prompt. They are not secret: a reader who can guess a prompt can verify the guess, so
   * updates are exchanged between routers only. See `ChainHash` for what a wrong match costs.
   */
  readonly blocks: PromptBlockNames | undefined;
}

/** The first byte of its response arrived. */
export interface FirstByteUpdate {
  readonly kind: 'firstByte';
  readonly attempt: number;
}

/** It has ended. */
export interface FinishedUpdate extends Outcome {
  readonly kind: 'finished';
  readonly attempt: number;
  /**
   * Whether the engine failed after it had received the request, so that it may be to blame. Absent for other failures, such
   * as a refused connection, and in updates of older routers.
   */
  readonly broke?: true | undefined;
}

/** An update about an earlier moment. */
export interface AgedUpdate {
  readonly update: AttemptUpdate;
  /** How long ago it happened. */
  readonly agoSeconds: number;
}
