// Prompts whose KV one engine computes and another goes on with: who holds it, who reads it, and when
// it is there. What vLLM's NIXL connector does by reads ("pull"), for all engines of a fleet at once.
import type { FinishReason } from '../contract.ts';
import type { KvConnector, TieredSequence } from '../tiers/contract.ts';
import { KvExchangeConnector } from './kv-exchange-connector.ts';
import { KvFabric, type KvTransfer } from './kv-fabric.ts';

/** One engine's end of the exchange. */
export interface KvExchangeEngine {
  /** Of its links, all its GPUs together, each direction. */
  readonly bytesPerSecond: number;
  /** Of one KV block, all its GPUs together. */
  readonly blockBytes: number;
  /** Tokens per block; equal for all engines of an exchange. */
  readonly blockSize: number;
}

/** A prompt's KV that has been read. */
export interface KvRead {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly bytes: number;
}

export interface KvExchangeOptions {
  readonly engines: readonly KvExchangeEngine[];
  readonly latencySeconds: number;
  /**
   * How long an engine keeps blocks for which no reader is left.
   * @default 30, vLLM's `kv_lease_duration`
   */
  readonly leaseSeconds?: number | undefined;
  readonly onRead?: ((read: KvRead) => void) | undefined;
}

/**
 * `prefilling`: promised by its engine; `ready`: computed, its blocks are kept; `reading`: on its way.
 * What was read, lost or given up is forgotten.
 */
interface Handoff {
  readonly id: string;
  readonly from: number;
  state: 'prefilling' | 'ready' | 'reading';
  /** What holds the blocks, once computed. */
  kept: TieredSequence | undefined;
  reader: { readonly engine: number; readonly sequence: TieredSequence } | undefined;
  transfer: KvTransfer | undefined;
}

/** What became of handoffs when an engine failed. */
export interface LostHandoff {
  readonly id: string;
  /** Whether somebody was reading; then its load has failed, and its engine knows. */
  readonly wasRead: boolean;
}

/** Of blocks that have lost their reader. */
interface Lease {
  readonly handoff: Handoff;
  readonly endSeconds: number;
}

const defaultLeaseSeconds = 30;

/**
 * Whoever runs the engines promises each prefill (`expect`), gives each engine its connector, lets
 * time pass (`advance` at `nextSeconds`), and tells of engines that fail.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/nixl/pull_scheduler.py
 */
export class KvExchange {
  readonly #options: KvExchangeOptions;
  readonly #fabric: KvFabric;
  readonly #handoffs = new Map<string, Handoff>();
  readonly #reads = new Map<KvTransfer, Handoff>();
  readonly #connectors: KvExchangeConnector[];
  /** Given up by their readers, in order of time. */
  readonly #leases: Lease[] = [];

  constructor(options: KvExchangeOptions) {
    const { engines, latencySeconds } = options;
    this.#options = options;
    this.#fabric = new KvFabric({ ports: engines, latencySeconds });
    this.#connectors = engines.map((_, engine) => new KvExchangeConnector(this, engine));
  }

  /** A new connector for an engine that starts, or starts anew. */
  connect(engine: number): KvConnector {
    const connector = new KvExchangeConnector(this, engine);
    this.#connectors[engine] = connector;
    return connector;
  }

  /** When `advance` has something to do next, unless somebody begins to read before; else Infinity. */
  get nextSeconds(): number {
    return Math.min(
      this.#fabric.nextSeconds,
      this.#leases[0]?.endSeconds ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Prompts that are promised, kept or on their way. */
  get size(): number {
    return this.#handoffs.size;
  }

  /** The request is about to be prefilled by an engine, for another one to go on with. */
  expect(id: string, engine: number): void {
    this.#handoffs.set(id, {
      ...{ id, from: engine, state: 'prefilling' },
      ...{ kept: undefined, reader: undefined, transfer: undefined },
    });
  }

  /** Whether the KV of a request's prompt is there to be read. */
  isReady(id: string): boolean {
    return this.#handoffs.get(id)?.state === 'ready';
  }

  /** Nobody will read it any more, and nobody says so to its engine: it keeps the blocks for a while. */
  abandon(id: string, nowSeconds: number): void {
    const handoff = this.#handoffs.get(id);
    if (handoff === undefined) return;
    const { leaseSeconds = defaultLeaseSeconds } = this.#options;
    this.#leases.push({ handoff, endSeconds: nowSeconds + leaseSeconds });
  }

  /** @returns Indices of the engines that have something to do now. */
  advance(nowSeconds: number): ReadonlySet<number> {
    const engines = new Set<number>();
    for (const transfer of this.#fabric.takeDone(nowSeconds)) {
      const handoff = this.#reads.get(transfer) as Handoff;
      this.#reads.delete(transfer);
      const { from, to, bytes, startSeconds } = transfer;
      this.#options.onRead?.({
        ...{ id: handoff.id, from, to, bytes, startSeconds, endSeconds: nowSeconds },
      });
      const seconds = nowSeconds - startSeconds;
      this.#connectors[from]?.sent(bytes, seconds);
      if (handoff.reader) this.#connectors[to]?.received(handoff.reader.sequence, bytes, seconds);
      this.#release(handoff);
      engines.add(from).add(to);
    }
    while ((this.#leases[0]?.endSeconds ?? Number.POSITIVE_INFINITY) <= nowSeconds) {
      const { handoff } = this.#leases.shift() as Lease;
      if (this.#handoffs.get(handoff.id) !== handoff || handoff.state === 'reading') continue;
      this.#release(handoff);
      engines.add(handoff.from);
    }
    return engines;
  }

  /**
   * An engine is gone with all its blocks. What others read from it is lost: their loads fail. What it
   * was reading can be read again.
   */
  engineFailed(engine: number, nowSeconds: number): readonly LostHandoff[] {
    const lost: LostHandoff[] = [];
    for (const handoff of [...this.#handoffs.values()]) {
      const { id, from, state, reader } = handoff;
      if (from !== engine && reader?.engine !== engine) continue;
      if (handoff.transfer) {
        this.#fabric.cancel(handoff.transfer, nowSeconds);
        this.#reads.delete(handoff.transfer);
      }
      if (from === engine) {
        this.#handoffs.delete(id);
        if (reader) this.#connectors[reader.engine]?.loadFailed(reader.sequence);
        if (state !== 'prefilling') lost.push({ id, wasRead: reader !== undefined });
      } else {
        handoff.state = 'ready';
        handoff.reader = undefined;
        handoff.transfer = undefined;
      }
    }
    return lost;
  }

  /** An engine's connector: has the prompt been computed here for somebody else? */
  computed(engine: number, sequence: TieredSequence, reason: FinishReason): boolean {
    const { id } = sequence.request;
    const handoff = this.#handoffs.get(id);
    if (handoff?.state !== 'prefilling' || handoff.from !== engine) return false;
    if (reason === 'abort') {
      this.#handoffs.delete(id);
      return false;
    }
    handoff.state = 'ready';
    handoff.kept = sequence;
    return true;
  }

  /** An engine's connector: its request has blocks for all that it lacks, and reads it. */
  read(engine: number, sequence: TieredSequence, localTokens: number, nowSeconds: number): void {
    const handoff = this.#handoffs.get(sequence.request.id) as Handoff;
    const { blockSize, blockBytes } = this.#options.engines[engine] as KvExchangeEngine;
    const { promptTokens } = sequence.request;
    const blocks = Math.ceil(promptTokens / blockSize) - localTokens / blockSize;
    const what = { from: handoff.from, to: engine, bytes: blocks * blockBytes };
    handoff.state = 'reading';
    handoff.reader = { engine, sequence };
    handoff.transfer = this.#fabric.start(what, nowSeconds);
    this.#reads.set(handoff.transfer, handoff);
  }

  /** An engine's connector: a request has ended there; if it was to read, it has not. */
  ended(engine: number, id: string): void {
    const handoff = this.#handoffs.get(id);
    if (handoff?.state === 'ready' && handoff.from !== engine) this.#release(handoff);
  }

  #release(handoff: Handoff): void {
    this.#handoffs.delete(handoff.id);
    if (handoff.kept) this.#connectors[handoff.from]?.released(handoff.kept);
  }
}
