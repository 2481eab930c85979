// The outputs of the machine to its driver. A driver carries them out and decides nothing about retries.
import type { AttemptDeadline, GatewayStatus } from './retry-policy.ts';

/** How an attempt, or the request, ended. `failed`: the engine, or the lack of one, is to blame. */
export type AttemptOutcome = 'completed' | 'cancelled' | 'failed';

/**
 * How a hedge, the second attempt beside one whose first byte is late, ended. `won`: its response is the request's, or
 * the first engine failed. `lost`: the first engine responded first. `failed`: its own engine failed or refused.
 * `cancelled`: the request ended.
 */
export type HedgeOutcome = 'won' | 'lost' | 'failed' | 'cancelled';

/** Response to a request that is not admitted: the client sends too much, or the engines are overloaded. */
export type RejectionStatus = 429 | 503;

/**
 * Why the router itself responds: no engine could be picked, the request was not admitted, the router stops,
 * or the last attempt failed.
 */
export type RefusalCause = 'noEngine' | 'rejected' | 'stopping' | GatewayStatus;

/**
 * Whether another engine can go on with a response that has begun. `complete`: nothing but its end is missing,
 * which the driver can write.
 */
export type Continuation = 'possible' | 'impossible' | 'complete';

/**
 * Why a response that could go on does not. `engines`: no other engine is left. `retries`: too many have failed,
 * or the retry budget is spent. `refused`: the next engine refused to go on.
 */
export type ContinuationLoss = 'engines' | 'retries' | 'refused';

/** One attempt of a request on one engine, from its pick to its end, as the machine asks for it. */
export interface EngineAttempt {
  readonly url: string;
  /** Time that the policy expects until the first byte; undefined if it cannot know. */
  readonly predictedSeconds: number | undefined;
  /** Prompt tokens that the engine will have to compute. */
  readonly prefillTokens: number;
  /** The request will not be sent there. */
  unpick(): void;
  /**
   * Sends the request there and counts it as in flight. After `continuation`, it is the request for the rest of the
   * response.
   */
  send(): void;
  /** Closes its connection. It must cause no input afterwards. */
  abort(): void;
  /** The engine cannot be reached: it gets no new requests. */
  engineOut(): void;
  /** The engine may be gone: its health is to be checked now. */
  engineSuspected(): void;
  /** The engine does not have the model of the request: which ones it has is to be read now. */
  lacksModel(): void;
  /** The first byte of the response's body has arrived, and it is no error: prefill is over. */
  firstByte(): void;
  /** So many chunks of the response have arrived that the engine works; once. */
  progressed(): void;
  /** Another engine's response has come first: this one's would have taken longer. `abort` and `ended` follow. */
  outrun(): void;
  /** The engine failed after it had received the request, and this one may not be to blame: other routers learn of it; `ended` follows. */
  broke(): void;
  /** It is over and leaves the load counts. */
  ended(outcome: AttemptOutcome): void;
}

/**
 * The outputs of `AttemptMachine`, called in the turn of the input that causes them. A driver may give
 * the next input from within `EngineAttempt.send`; the machine is done with its state by then.
 */
export interface AttemptEffects {
  /**
   * Picks an engine for the next attempt. If it finds one, `send` or `unpick` follows in the same turn, so that no
   * pick in between can miss this one. An attempt that the new one replaces may still be open.
   *
   * @param tried Engines that failed this request; undefined on the first attempt.
   * @returns Undefined if no engine is left.
   */
  pick(tried: ReadonlySet<string> | undefined): EngineAttempt | undefined;
  /**
   * For how long no engine has been there that could take the request, whether or not it failed it; undefined while
   * there are some, Infinity if there never were.
   */
  secondsWithoutEngine(): number | undefined;
  /**
   * Picks an idle engine for a second attempt beside the one in flight, like `pick`.
   *
   * @param tried Engines that have or had the request.
   * @returns Undefined if no other engine is idle.
   */
  pickHedge(tried: ReadonlySet<string>): EngineAttempt | undefined;
  /** The second attempt is over or, if it has `won`, the only one. Called once for each that was sent. */
  hedgeEnded(outcome: HedgeOutcome): void;
  /** A deadline has passed; its consequences follow. @param seconds How long the router has waited. */
  expired(deadline: AttemptDeadline, seconds: number): void;
  /** The engine of a response that has begun has failed. */
  continuation(): Continuation;
  /** The response that `continuation` found possible ends here; `breakOff` follows. */
  notContinued(why: ContinuationLoss): void;
  /** The last attempt failed, and the request goes to another engine: count the reroute. */
  rerouted(to: EngineAttempt): void;
  /** Sends the client an error of the router's own. Nothing has been sent to it before. */
  refuse(cause: RefusalCause): void;
  /** The client has part of a response that will never be complete: report that and cut it off. */
  breakOff(): void;
  /** The response is complete: end it. */
  complete(outcome: AttemptOutcome): void;
  /**
   * The request is over, once. Called before the last output to the client (`refuse`, `breakOff`, `complete`).
   *
   * @param status HTTP status that the client has received or will receive, or that the error event stands for with
   *   which its stream begins; undefined if no engine could be picked, as the reason for that decides it.
   */
  requestEnded(outcome: AttemptOutcome, status: number | undefined): void;
}
