// The network between engines that transfer KV cache to each other: an outgoing and an incoming link for
// each, shared by the transfers in progress.

/** Rate of the links of one engine, summed over its GPUs. Infinity for a link that takes no time. */
export interface KvPort {
  readonly bytesPerSecond: number;
}

export interface KvFabricOptions {
  /** By engine; each direction has this rate separately. */
  readonly ports: readonly KvPort[];
  /** Time between the last byte and the notification of the reader, and before the first byte. */
  readonly latencySeconds: number;
}

/** One transfer, from its start. */
export interface KvTransfer {
  /** Indices of engines. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly startSeconds: number;
}

interface Flow extends KvTransfer {
  /** Bytes left at `endSeconds - (bytes left) / rate`. */
  rate: number;
  /** Arrival of its last byte, if no transfer starts or ends until then. */
  endSeconds: number;
}

/** All bytes have arrived; the reader is about to be notified. */
interface Landing {
  readonly flow: Flow;
  readonly endSeconds: number;
}

/**
 * Each link divides its rate equally among its transfers, as a fair network does, and a transfer has the
 * lower of its two shares. The part of a share that a transfer cannot use, because its other end is
 * slower, is not given to others: the model is slow rather than fast there. The two directions of an
 * engine's links do not affect each other.
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
  /** Read at each event of a fleet, and changed by few; undefined until it is computed again. */
  #nextSeconds: number | undefined = Number.POSITIVE_INFINITY;

  /** @throws {RangeError} If a rate or the latency is impossible. */
  constructor({ ports, latencySeconds }: KvFabricOptions) {
    const bad = ports.find(({ bytesPerSecond }) => !(bytesPerSecond > 0));
    if (bad !== undefined || !(latencySeconds >= 0)) {
      throw new RangeError(
        `A link cannot have ${bad?.bytesPerSecond ?? 'any'} bytes/s and ${latencySeconds} s latency`,
      );
    }
    this.#ports = ports;
    this.#latencySeconds = latencySeconds;
    this.#out = ports.map(() => 0);
    this.#in = ports.map(() => 0);
  }

  /** When `takeDone` has something to return next, unless a transfer starts before; otherwise Infinity. */
  get nextSeconds(): number {
    if (this.#nextSeconds !== undefined) return this.#nextSeconds;
    let next = this.#landings[0]?.endSeconds ?? Number.POSITIVE_INFINITY;
    for (const { endSeconds } of this.#flows) next = Math.min(next, endSeconds);
    this.#nextSeconds = next;
    return next;
  }

  /** Number of transfers in progress. */
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

  /** Stops a transfer: one of its engines has failed. */
  cancel(transfer: KvTransfer, nowSeconds: number): void {
    const flow = transfer as Flow;
    this.#nextSeconds = undefined;
    if (this.#flows.delete(flow)) {
      this.#count(flow, -1);
      this.#share(flow, nowSeconds);
    } else this.#landings = this.#landings.filter((landing) => landing.flow !== flow);
  }

  /** Transfers that have ended by now, in order; must be called whenever `nextSeconds` is reached. */
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

  /** Updates the rates of all flows that share a link with this one. */
  #share({ from, to }: Flow, nowSeconds: number): void {
    for (const flow of this.#flows) {
      if (flow.from !== from && flow.to !== to) continue;
      // A flow with an infinite rate has ended at the moment of its start.
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
