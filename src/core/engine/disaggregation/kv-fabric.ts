// The network between engines that hand KV cache to each other: a way out and a way in for each,
// shared by the transfers that are under way at a time.

/** What the links of one engine carry, all its GPUs together. Infinity for one that takes no time. */
export interface KvPort {
  readonly bytesPerSecond: number;
}

export interface KvFabricOptions {
  /** By engine; each direction has this rate of its own. */
  readonly ports: readonly KvPort[];
  /** Between the last byte and the moment in which the reader knows, and before the first. */
  readonly latencySeconds: number;
}

/** One transfer from its start on. */
export interface KvTransfer {
  /** Indices of engines. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly startSeconds: number;
}

interface Flow extends KvTransfer {
  /** Of what is left at `endSeconds - (what is left) / rate`. */
  rate: number;
  /** When its last byte comes, if nothing begins or ends until then. */
  endSeconds: number;
}

/** All bytes are there; the reader is about to know. */
interface Landing {
  readonly flow: Flow;
  readonly endSeconds: number;
}

/**
 * Each link divides its rate equally among the transfers on it, as a fair network does, and a
 * transfer goes at the lesser of its two shares. What a transfer leaves of a share, because its other
 * end is slower, is not given to others: the model is slow rather than fast there. Links of one engine
 * in the two directions do not disturb each other.
 *
 * @example
 * const fabric = new KvFabric({ ports: [{ bytesPerSecond: 100 }, { bytesPerSecond: 100 }], latencySeconds: 0 });
 * fabric.start({ from: 0, to: 1, bytes: 50 }, 0);
 * fabric.nextSeconds; // 0.5
 */
export class KvFabric {
  readonly #ports: readonly KvPort[];
  readonly #latencySeconds: number;
  readonly #flows = new Set<Flow>();
  /** In order of time: the latency is the same for all. */
  #landings: Landing[] = [];
  /** Flows out of and into each engine. */
  readonly #out: number[];
  readonly #in: number[];
  /** Asked for at each event of a fleet, and changed by few; undefined until it is known again. */
  #nextSeconds: number | undefined = Number.POSITIVE_INFINITY;

  /** @throws {RangeError} If a rate or the latency cannot be. */
  constructor({ ports, latencySeconds }: KvFabricOptions) {
    const bad = ports.find(({ bytesPerSecond }) => !(bytesPerSecond > 0));
    if (bad !== undefined || !(latencySeconds >= 0)) {
      throw new RangeError(
        `No link has ${bad?.bytesPerSecond ?? 'any'} bytes/s and ${latencySeconds} s latency`,
      );
    }
    this.#ports = ports;
    this.#latencySeconds = latencySeconds;
    this.#out = ports.map(() => 0);
    this.#in = ports.map(() => 0);
  }

  /** When `takeDone` has something to say next, unless a transfer starts before; else Infinity. */
  get nextSeconds(): number {
    if (this.#nextSeconds !== undefined) return this.#nextSeconds;
    let next = this.#landings[0]?.endSeconds ?? Number.POSITIVE_INFINITY;
    for (const { endSeconds } of this.#flows) next = Math.min(next, endSeconds);
    this.#nextSeconds = next;
    return next;
  }

  /** Transfers under way. */
  get size(): number {
    return this.#flows.size + this.#landings.length;
  }

  start(what: Omit<KvTransfer, 'startSeconds'>, nowSeconds: number): KvTransfer {
    const flow: Flow = { ...what, startSeconds: nowSeconds, rate: 1, endSeconds: 0 };
    flow.endSeconds = nowSeconds + flow.bytes;
    this.#nextSeconds = undefined;
    this.#flows.add(flow);
    this.#count(flow, 1);
    this.#share(flow, nowSeconds);
    return flow;
  }

  /** Stops a transfer: an end of it is gone. */
  cancel(transfer: KvTransfer, nowSeconds: number): void {
    const flow = transfer as Flow;
    this.#nextSeconds = undefined;
    if (this.#flows.delete(flow)) {
      this.#count(flow, -1);
      this.#share(flow, nowSeconds);
    } else this.#landings = this.#landings.filter((landing) => landing.flow !== flow);
  }

  /** Those that have ended by now, in order; to be called whenever `nextSeconds` has come. */
  takeDone(nowSeconds: number): readonly KvTransfer[] {
    if (this.nextSeconds > nowSeconds) return [];
    this.#nextSeconds = undefined;
    for (let flow = this.#firstDone(nowSeconds); flow; flow = this.#firstDone(nowSeconds)) {
      const { endSeconds } = flow;
      this.#flows.delete(flow);
      this.#count(flow, -1);
      this.#share(flow, endSeconds);
      this.#landings.push({ flow, endSeconds: endSeconds + this.#latencySeconds });
    }
    let done = 0;
    while ((this.#landings[done]?.endSeconds ?? Number.POSITIVE_INFINITY) <= nowSeconds) done++;
    return this.#landings.splice(0, done).map(({ flow }) => flow);
  }

  #firstDone(nowSeconds: number): Flow | undefined {
    let first: Flow | undefined;
    for (const flow of this.#flows) {
      if (flow.endSeconds <= nowSeconds && !(first && first.endSeconds <= flow.endSeconds)) {
        first = flow;
      }
    }
    return first;
  }

  #count({ from, to }: Flow, change: 1 | -1): void {
    this.#out[from] = (this.#out[from] as number) + change;
    this.#in[to] = (this.#in[to] as number) + change;
  }

  /** Gives all that share a link with this flow their new rates. */
  #share({ from, to }: Flow, nowSeconds: number): void {
    for (const flow of this.#flows) {
      if (flow.from !== from && flow.to !== to) continue;
      // An infinite rate has ended its flow in the moment of its start.
      const left = flow.rate === Number.POSITIVE_INFINITY ? 0 : this.#left(flow, nowSeconds);
      flow.rate = Math.min(
        (this.#ports[flow.from] as KvPort).bytesPerSecond / (this.#out[flow.from] as number),
        (this.#ports[flow.to] as KvPort).bytesPerSecond / (this.#in[flow.to] as number),
      );
      flow.endSeconds = nowSeconds + left / flow.rate;
    }
  }

  #left({ rate, endSeconds }: Flow, nowSeconds: number): number {
    return Math.max(0, (endSeconds - nowSeconds) * rate);
  }
}
