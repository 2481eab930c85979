// A connection between a router and an engine. The other side observes each event after a delay, in order, and
// nothing after either side has closed the connection.
import type { AttemptFailureKind } from '../attempts/index.ts';
import type { Timeline } from './timeline.ts';

/** Events of a request that its router observes. */
export interface ResponseListener {
  onHead(status: number): void;
  /** @param token Index of the response's token that the bytes hold; -1 for none. */
  onBytes(token: number): void;
  onEnd(isError: boolean): void;
  onFailure(kind: AttemptFailureKind, isAnswered: boolean): void;
}

export class FaultConnection {
  readonly name: string;
  readonly #timeline: Timeline;
  readonly #delaySeconds: number;
  #listener: ResponseListener | undefined;
  /** Called when the engine notices that the router has closed the connection. */
  onAborted: (() => void) | undefined = undefined;
  /** Minimum time between two events, for slow streams. */
  gapSeconds = 0;
  /** Time until which events are held back; later events wait too. */
  #notBeforeSeconds = 0;
  /** Whether the router has received a byte of a response. */
  #isAnswered = false;
  #isOpenAtEngine = true;

  constructor(
    timeline: Timeline,
    of: { name: string; delaySeconds: number; listener: ResponseListener },
  ) {
    this.#timeline = timeline;
    this.name = of.name;
    this.#delaySeconds = of.delaySeconds;
    this.#listener = of.listener;
  }

  /** Whether the router is still connected. */
  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** Whether the engine has neither ended its response nor noticed that the router has disconnected. */
  get isOpenAtEngine(): boolean {
    return this.#isOpenAtEngine;
  }

  /** Closes the connection from the router's side. */
  abort(): void {
    if (this.#listener === undefined) return;
    this.#listener = undefined;
    this.#timeline.after(this.#delaySeconds, `${this.name} aborted at the engine`, () => {
      if (!this.#isOpenAtEngine) return;
      this.#isOpenAtEngine = false;
      this.onAborted?.();
    });
  }

  /** Holds back all events of the engine for this long. */
  holdFor(seconds: number): void {
    const from = Math.max(this.#notBeforeSeconds, this.#timeline.nowSeconds);
    this.#notBeforeSeconds = from + seconds;
  }

  head(status: number): void {
    this.#tell(`head ${status}`, (listener) => {
      this.#isAnswered = true;
      listener.onHead(status);
    });
  }

  bytes(token = -1): void {
    this.#tell('bytes', (listener) => listener.onBytes(token));
  }

  end(isError: boolean): void {
    this.#tell(isError ? 'end with error' : 'end', (listener) => {
      this.#listener = undefined;
      listener.onEnd(isError);
    });
    this.#isOpenAtEngine = false;
  }

  /** Breaks the connection from the engine's side. Events in transit still arrive, held ones do not. */
  fail(kind: AttemptFailureKind, isWithinHead = false): void {
    this.#notBeforeSeconds = 0;
    this.#tell(kind, (listener) => {
      this.#listener = undefined;
      listener.onFailure(kind, this.#isAnswered || isWithinHead);
    });
    this.#isOpenAtEngine = false;
  }

  #tell(what: string, act: (listener: ResponseListener) => void): void {
    if (!this.#isOpenAtEngine) return;
    const { nowSeconds } = this.#timeline;
    const atSeconds = Math.max(this.#notBeforeSeconds, nowSeconds);
    this.#notBeforeSeconds = atSeconds + this.gapSeconds;
    this.#timeline.at(atSeconds + this.#delaySeconds, `${this.name} ${what}`, () => {
      if (this.#listener !== undefined) act(this.#listener);
    });
  }
}
