// One request from its arrival to its end, as a state machine: events in, effects out. It has no
// socket, clock or engine, so the router and the simulator run this same code.
import type { AttemptEffects, AttemptOutcome, RejectionStatus } from './attempt-effects.ts';
import type { RetryBudget } from './retry-budget.ts';
import {
  type AttemptFailureKind,
  type AttemptTimer,
  defaultRetryPolicy,
  type FailureRule,
  type RetryPolicy,
} from './retry-policy.ts';

/**
 * - `arrived`: not admitted yet.
 * - `admitted`: may be sent to an engine, and has no attempt in flight.
 * - `picked`: an engine is picked, nothing is sent. Lasts no longer than the turn of an input, in which no
 *   other input is handled.
 * - `sent`: an attempt is in flight, and the client has received nothing, though a head may be held: the
 *   only state to retry from.
 * - `firstByte`: the response has begun, none of its body has arrived.
 * - `streaming`: the body is on its way to the client.
 * - `ended`.
 */
export type AttemptState =
  | 'arrived'
  | 'admitted'
  | 'picked'
  | 'sent'
  | 'firstByte'
  | 'streaming'
  | 'ended';

/**
 * What to do with the head of a response. `pass`: it goes to the client. `hold`: keep it, and ask again
 * when the first of the body arrives. `drop`: the request has moved to another engine.
 */
export type HeadVerdict = 'pass' | 'hold' | 'drop';

/** Lowest status of a response with which the request counts as failed. */
const failedStatusMin = 500;
/** Lowest status of a response that says nothing about how fast the engine computes. */
const errorStatusMin = 400;
/** nginx's status for a client that left before its response was complete. */
export const clientLeftStatus = 499;
/** Status of the response to a request that a stopping router has not sent to its end. */
const stoppingStatus = 503;

/**
 * Methods are inputs; an input that is not valid in the current state does nothing. Relaying a chunk
 * allocates nothing.
 *
 * @example
 * const machine = new AttemptMachine(effects);
 * machine.admit(); // effects.pick, effects.send
 * machine.responseHead(200, false); // 'hold': the engine has not begun to compute
 * machine.responseHead(200, true); // 'pass'
 * machine.responseBytes(); // effects.firstByte; true: pass them on
 * machine.responseEnd(false); // effects.attemptEnded, requestEnded, complete
 */
export class AttemptMachine {
  readonly #effects: AttemptEffects;
  readonly #policy: RetryPolicy;
  readonly #budget: RetryBudget | undefined;
  #state: AttemptState = 'arrived';
  /** Engine of the attempt in flight, or of the last one. */
  #url = '';
  #tried: Set<string> | undefined = undefined;
  #reroutes = 0;
  /** Engines that failed after they had received the request. */
  #brokenEngines = 0;
  /** Status of the response that has begun. */
  #status = 0;

  /** @param budget Shared by the requests of a router; undefined allows every retry of the policy. */
  constructor(
    effects: AttemptEffects,
    policy: RetryPolicy = defaultRetryPolicy,
    budget?: RetryBudget,
  ) {
    this.#effects = effects;
    this.#policy = policy;
    this.#budget = budget;
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** The request may be sent to an engine: at once, or when its turn in the admission queue has come. */
  admit(): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'admitted';
    this.#budget?.deposit();
    this.proceed();
  }

  /** The request is not admitted. @param status Response to the client. */
  reject(status: RejectionStatus): void {
    if (this.#state !== 'arrived') return;
    this.#state = 'ended';
    this.#effects.requestEnded('failed', status);
    this.#effects.refuse('rejected');
  }

  /** Picks an engine and sends the request there. Drivers call it only after `handedOver`. */
  proceed(): void {
    if (this.#state !== 'admitted') return;
    if (this.#pick()) this.#send();
    else this.#refuseWithoutEngine();
  }

  /**
   * The head of the engine's response has arrived, or the first of its body after a head that was held.
   *
   * @param hasBody Whether a part of the body, or its end, is there. vLLM sends the head of a stream before
   *   it computes the prompt, so a head alone is no sign that a response will come.
   */
  responseHead(status: number, hasBody: boolean): HeadVerdict {
    if (this.#state !== 'sent') return 'drop';
    const { reroutedStatuses, busyStatuses } = this.#policy;
    if (reroutedStatuses.has(status)) {
      if (!busyStatuses.has(status)) this.#brokenEngines++;
      if (this.#pickElsewhere()) {
        // The rest of this response is not needed.
        this.#effects.abort();
        this.#effects.attemptEnded('failed');
        this.#effects.rerouted();
        this.#send();
        return 'drop';
      }
    } else if (!hasBody) return 'hold';
    this.#status = status;
    this.#state = 'firstByte';
    return 'pass';
  }

  /** Bytes of the response's body have arrived. @returns Whether to pass them on to the client. */
  responseBytes(): boolean {
    switch (this.#state) {
      case 'streaming':
        return true;
      case 'firstByte':
        this.#state = 'streaming';
        if (this.#status < errorStatusMin) this.#effects.firstByte();
        return true;
      case 'arrived':
      case 'admitted':
      case 'picked':
      case 'sent':
      case 'ended':
        return false;
    }
  }

  /** The response is complete. @param isError Whether its body reports a failure, such as an error event. */
  responseEnd(isError: boolean): void {
    if (this.#state !== 'firstByte' && this.#state !== 'streaming') return;
    const isBusy = this.#policy.busyStatuses.has(this.#status);
    const isFailed = isError || isBusy || this.#status >= failedStatusMin;
    const outcome = isFailed ? 'failed' : 'completed';
    this.#end(outcome, this.#status);
    this.#effects.complete(outcome);
  }

  /**
   * The attempt in flight failed, and its connection is gone; or, between two attempts, what the first
   * one computed for the second is lost.
   */
  attemptFailed(kind: AttemptFailureKind): void {
    this.#fail(this.#policy.failures[kind]);
  }

  /** A timeout has expired. The attempt in flight is abandoned. */
  timerFired(timer: AttemptTimer): void {
    switch (this.#state) {
      case 'sent':
        // Whatever has arrived of the response, the client has received nothing.
        this.#effects.abort();
        this.#fail(this.#policy.timers.firstByte);
        return;
      case 'firstByte':
      case 'streaming':
        this.#effects.abort();
        this.#fail(this.#policy.timers[timer]);
        return;
      case 'arrived':
      case 'admitted':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /**
   * The attempt in flight has done its part, which the client does not see, and another engine will
   * respond: disaggregated prefill is over. `proceed` continues. Engines that failed before may be tried
   * again, since the part that they failed is done.
   */
  handedOver(): void {
    if (this.#state !== 'sent') return;
    this.#state = 'admitted';
    this.#tried = undefined;
    this.#effects.firstByte();
    this.#effects.attemptEnded('completed');
  }

  /** The client has left, or the router has cut its connection because it stops. */
  cancel(): void {
    switch (this.#state) {
      case 'sent':
      case 'firstByte':
      case 'streaming':
        this.#effects.abort();
        this.#end('cancelled', clientLeftStatus);
        return;
      case 'arrived':
      case 'admitted':
        this.#state = 'ended';
        this.#effects.requestEnded('cancelled', clientLeftStatus);
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** The router stops now, and the response is not complete: the client gets an error in its place. */
  stop(): void {
    switch (this.#state) {
      case 'arrived':
      case 'admitted':
      case 'sent':
        if (this.#state === 'sent') this.#abandon();
        this.#state = 'ended';
        this.#effects.requestEnded('failed', stoppingStatus);
        this.#effects.refuse('stopping');
        return;
      case 'firstByte':
      case 'streaming':
        this.#abandon();
        this.#state = 'ended';
        this.#effects.requestEnded('failed', this.#status);
        this.#effects.breakOff();
        return;
      case 'picked':
      case 'ended':
        return;
    }
  }

  #abandon(): void {
    this.#effects.abort();
    this.#effects.attemptEnded('cancelled');
  }

  #fail(rule: FailureRule): void {
    switch (this.#state) {
      case 'sent':
        this.#failUnseen(rule);
        return;
      case 'firstByte':
      case 'streaming':
        this.#end('failed', this.#status);
        this.#effects.breakOff();
        return;
      case 'admitted':
        this.#state = 'ended';
        this.#effects.requestEnded('failed', rule.status);
        this.#effects.refuse(rule.status);
        return;
      case 'arrived':
      case 'picked':
      case 'ended':
        return;
    }
  }

  /** The client has received nothing from the attempt that failed. */
  #failUnseen(rule: FailureRule): void {
    if (rule.engine === 'out') this.#effects.engineOut();
    else if (rule.engine === 'suspected') this.#effects.engineSuspected();
    if (rule.blamesRequest) this.#brokenEngines++;
    this.#effects.attemptEnded('failed');
    if (rule.reroutes && this.#pickElsewhere()) {
      this.#effects.rerouted();
      this.#send();
      return;
    }
    this.#state = 'ended';
    this.#effects.requestEnded('failed', rule.status);
    this.#effects.refuse(rule.status);
  }

  /** @returns Whether another engine is picked for a request that this attempt's engine failed. */
  #pickElsewhere(): boolean {
    const { reroutesMax, brokenEnginesMax } = this.#policy;
    if (this.#reroutes >= reroutesMax || this.#brokenEngines >= brokenEnginesMax) return false;
    if (this.#budget?.hasBalance === false) return false;
    this.#tried ??= new Set();
    this.#tried.add(this.#url);
    if (!this.#pick()) return false;
    this.#budget?.withdraw();
    this.#reroutes++;
    return true;
  }

  #pick(): boolean {
    const url = this.#effects.pick(this.#tried);
    if (url === undefined) return false;
    this.#url = url;
    this.#state = 'picked';
    return true;
  }

  /** Called last in its turn, because the driver may give the next input from within. */
  #send(): void {
    this.#state = 'sent';
    this.#effects.send();
  }

  #refuseWithoutEngine(): void {
    this.#state = 'ended';
    this.#effects.requestEnded('failed', undefined);
    this.#effects.refuse('noEngine');
  }

  #end(outcome: AttemptOutcome, status: number): void {
    this.#state = 'ended';
    this.#effects.attemptEnded(outcome);
    this.#effects.requestEnded(outcome, status);
  }
}
