// What routers before the same engines tell each other, so that each knows the load of all.
import type { Outcome, PromptBlockNames } from './contract.ts';

/** The attempt is the sender's own number for it, never used twice. */
export type AttemptNews = SentNews | FirstByteNews | FinishedNews;

/** A request was sent to an engine. */
export interface SentNews {
  readonly kind: 'sent';
  readonly attempt: number;
  readonly url: string;
  readonly promptTokens: number;
  /** Of these, what the sender expects the engine to have cached. */
  readonly cachedTokens: number;
  /** See `RoutingRequest.stream`. */
  readonly stream: boolean;
  /**
   * Names in place of the prompt. They are not secret: whoever can guess a prompt can check the guess, so
   * news travels between routers only. See `ChainHash` for what a wrong match costs.
   */
  readonly blocks: PromptBlockNames | undefined;
}

/** The first byte of its answer came. */
export interface FirstByteNews {
  readonly kind: 'firstByte';
  readonly attempt: number;
}

/** It is over. */
export interface FinishedNews extends Outcome {
  readonly kind: 'finished';
  readonly attempt: number;
}

/** News that is told late. */
export interface AgedNews {
  readonly news: AttemptNews;
  /** How long ago it happened. */
  readonly agoSeconds: number;
}
