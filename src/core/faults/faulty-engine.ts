// An engine that can fail: production's engine model behind connections of a virtual network.
import {
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
  type EngineStats,
  type EngineStep,
  type StepLoad,
} from '../engine/index.ts';
import type { FaultConnection } from './fault-connection.ts';
import type { FaultDice } from './fault-dice.ts';
import type { StrikeName } from './strike-name.ts';
import type { Timeline } from './timeline.ts';

const blockSize = 16;
const config = defaultEngineConfig({
  ...{ blockSize, numGpuBlocks: 80, maxModelLen: 640, maxNumSeqs: 4, maxNumBatchedTokens: 256 },
});
/** Maximum time from a request to the crash that it causes: in the queue, in prefill or in the stream. */
const crashWithinSeconds = 0.5;
/** Streams of some dozens of tokens take some tenths of a second. */
const stepSeconds = 0.005;
const prefillSecondsPerToken = 0.0005;
/** Events of a stream before a struck engine cuts it; bench/chaos.ts has the same. */
const struckEvents = 5;
/** How much slower a struck engine is; bench/chaos.ts has the same. */
const struckSlowdown = 10;
/** Share of streams whose head is sent before the first token. */
const headFirstShare = 0.5;

/** A request as it reaches the engine. */
export interface SentRequest {
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Tokens of the response that the prompt ends with: those that other engines have generated. */
  readonly sentTokens: number;
  /** Prompts of the same family share their beginning. */
  readonly family: number;
}

/** Tokens of the response to a request: as many as it asks for, or as fit into the context. */
export function responseTokens({ promptTokens, outputTokens }: SentRequest): number {
  return Math.min(outputTokens, config.maxModelLen - promptTokens);
}

interface OpenRequest extends EngineRequest {
  readonly connection: FaultConnection;
  readonly sentTokens: number;
  /** Number of events after which the stream is cut, ends with an error, or hangs. */
  readonly cutAfter: number;
  readonly errorAfter: number;
  readonly hangAfter: number;
  readonly hangSeconds: number;
  hasHead: boolean;
  events: number;
}

export class FaultyEngine {
  readonly url: string;
  readonly #timeline: Timeline;
  readonly #dice: FaultDice;
  readonly #open = new Map<string, OpenRequest>();
  #model = this.#newModel();
  #step: EngineStep | undefined = undefined;
  #slowdown = 1;
  /** Until when it computes nothing. */
  #wedgedUntilSeconds = 0;
  #accepts = true;
  /** What it does to each request while it is struck. */
  #spell: 'fails-fast' | 'cut' | undefined = undefined;
  /** Number of process starts; a new process has an empty cache. */
  #life = 0;
  #added = 0;

  constructor(url: string, timeline: Timeline, dice: FaultDice) {
    this.url = url;
    this.#timeline = timeline;
    this.#dice = dice;
  }

  /** Whether it accepts connections and responds to health checks. */
  get accepts(): boolean {
    return this.#accepts;
  }

  /** A number that changes with each process, like `process_start_time_seconds`. */
  get life(): number {
    return this.#life;
  }

  get stats(): EngineStats {
    return this.#model.stats;
  }

  /** Receives a request. */
  receive(connection: FaultConnection, sent: SentRequest): void {
    if (!connection.isOpen) return;
    if (!this.#accepts) {
      connection.fail('connect');
      return;
    }
    this.#strikeEngine();
    if (this.#strikeRequest(connection)) return;
    if (sent.promptTokens >= config.maxModelLen) {
      respond(connection, 400);
      return;
    }
    this.#add(connection, sent);
    this.#schedule();
  }

  /** Fails for a while; a killed process serves again after a quarter of the time, and one that refuses after half. */
  strike(name: StrikeName, seconds: number): void {
    switch (name) {
      case 'killed':
        this.#goDown(seconds / 4, true);
        return;
      case 'refuses':
        this.#goDown(seconds / 2, false);
        return;
      case 'wedged':
        this.#wedgedUntilSeconds = this.#timeline.nowSeconds + seconds;
        return;
      case 'slowed':
        this.#slowFor(struckSlowdown, seconds);
        return;
      case 'fails-fast':
      case 'cut':
        this.#spell = name;
        this.#timeline.after(seconds, `${this.url} responds again`, () => {
          this.#spell = undefined;
        });
        return;
    }
  }

  /** Draws faults that affect all of its requests. */
  #strikeEngine(): void {
    const dice = this.#dice;
    const crash = dice.draw('crash');
    if (crash) {
      const seconds = dice.random.next() * crashWithinSeconds;
      this.#timeline.after(seconds, `${this.url} crashes`, () => this.#goDown(crash.seconds, true));
    }
    const refuse = dice.draw('refuse');
    if (refuse) {
      this.#timeline.after(0, `${this.url} refuses`, () => this.#goDown(refuse.seconds, false));
    }
    const wedge = dice.draw('wedge');
    if (wedge) this.#wedgedUntilSeconds = this.#timeline.nowSeconds + wedge.seconds;
    const slow = dice.draw('slowEngine');
    if (slow) this.#slowFor(slow.factor, slow.seconds);
  }

  #slowFor(factor: number, seconds: number): void {
    this.#slowdown = factor;
    this.#timeline.after(seconds, `${this.url} is fast again`, () => {
      this.#slowdown = 1;
    });
  }

  /** @returns Whether the request has received everything that it will receive. */
  #strikeRequest(connection: FaultConnection): boolean {
    if (this.#spell === 'fails-fast') {
      respond(connection, 500);
      return true;
    }
    const dice = this.#dice;
    const hang = dice.draw('hangBeforeFirstByte');
    if (hang) connection.holdFor(hang.seconds);
    const slow = dice.draw('slowStream');
    if (slow) connection.gapSeconds = slow.delayMs / 1000;
    if (dice.draw('reset')) connection.fail('reset');
    else if (dice.draw('resetInHead')) connection.fail('reset', true);
    else if (dice.draw('malformed')) connection.fail('syntax', true);
    else if (dice.draw('unavailable')) respond(connection, 503);
    else {
      const error = dice.draw('error');
      if (error === undefined) return false;
      respond(connection, error.status);
    }
    return true;
  }

  #add(connection: FaultConnection, sent: SentRequest): void {
    const { promptTokens, sentTokens, family } = sent;
    const dice = this.#dice;
    const cut = dice.draw('cutStream');
    const error = dice.draw('errorInStream');
    const hang = dice.draw('hangInStream');
    const number = this.#added++;
    const promptBlocks = Math.floor(promptTokens / blockSize);
    const request: OpenRequest = {
      ...{
        id: String(number),
        promptTokens,
        maxTokens: responseTokens(sent),
        priority: 0,
      },
      arrivalSeconds: this.#timeline.nowSeconds,
      blockKey: (index) =>
        index < promptBlocks ? family * 100 + index : -(number * 100 + index) - 1,
      ...{ connection, sentTokens },
      cutAfter: this.#spell === 'cut' ? struckEvents : (cut?.events ?? Number.POSITIVE_INFINITY),
      errorAfter: error?.events ?? Number.POSITIVE_INFINITY,
      hangAfter: hang?.events ?? Number.POSITIVE_INFINITY,
      hangSeconds: hang?.seconds ?? 0,
      ...{ hasHead: dice.random.next() < headFirstShare, events: 0 },
    };
    if (request.hasHead) connection.head(200);
    this.#open.set(request.id, request);
    this.#model.add(request);
    connection.onAborted = () => this.#drop(request);
  }

  #drop(request: OpenRequest): void {
    if (this.#open.get(request.id) !== request) return;
    this.#open.delete(request.id);
    this.#model.abort(request.id);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#step !== undefined || !this.#accepts) return;
    const { nowSeconds } = this.#timeline;
    const step = this.#model.schedule(nowSeconds);
    if (step === undefined) return;
    this.#step = step;
    this.#timeline.after(step.endSeconds - nowSeconds, `${this.url} step`, () => {
      this.#endStepUnlessWedged(step);
    });
  }

  #endStepUnlessWedged(step: EngineStep): void {
    // A crash in between discards the step.
    if (this.#step !== step) return;
    const wedgedSeconds = this.#wedgedUntilSeconds - this.#timeline.nowSeconds;
    if (wedgedSeconds <= 0) {
      this.#endStep(step);
      return;
    }
    this.#timeline.after(wedgedSeconds, `${this.url} computes again`, () => {
      this.#endStepUnlessWedged(step);
    });
  }

  #endStep(step: EngineStep): void {
    this.#step = undefined;
    this.#model.complete(step, (request, outputIndex) => {
      const open = this.#open.get(request.id);
      return open === undefined || this.#token(open, outputIndex);
    });
    this.#schedule();
  }

  /** @returns Whether the engine ends the request here. */
  #token(open: OpenRequest, outputIndex: number): boolean {
    const { connection } = open;
    if (!open.hasHead) connection.head(200);
    open.hasHead = true;
    if (open.events === open.cutAfter) {
      connection.fail('truncated');
      this.#open.delete(open.id);
      return true;
    }
    if (open.events === open.errorAfter) {
      connection.end(true);
      this.#open.delete(open.id);
      return true;
    }
    if (open.events === open.hangAfter) connection.holdFor(open.hangSeconds);
    open.events++;
    connection.bytes(open.sentTokens + outputIndex);
    if (outputIndex + 1 < open.maxTokens) return false;
    connection.end(false);
    this.#open.delete(open.id);
    return false;
  }

  /** @param losesAll Whether its process ends and its cache is lost. */
  #goDown(seconds: number, losesAll: boolean): void {
    if (!this.#accepts) return;
    this.#accepts = false;
    for (const { id, connection } of this.#open.values()) {
      connection.fail('reset');
      this.#model.abort(id);
    }
    this.#open.clear();
    if (losesAll) {
      this.#wedgedUntilSeconds = 0;
      this.#step = undefined;
      this.#model = this.#newModel();
      this.#life++;
    }
    this.#timeline.after(seconds, `${this.url} is up`, () => {
      this.#accepts = true;
    });
  }

  #newModel(): EngineModel {
    const cost = {
      stepSeconds: ({ prefillTokens }: StepLoad) =>
        (stepSeconds + prefillTokens * prefillSecondsPerToken) * this.#slowdown,
    };
    return new EngineModel({ config, cost });
  }
}

function respond(connection: FaultConnection, status: number): void {
  connection.head(status);
  connection.bytes();
  connection.end(false);
}
