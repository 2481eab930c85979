// Prompts whose KV is computed on one engine and used on another: which engine holds it, which one reads
// it, and when it arrives. Models the reads ("pull") of vLLM's NIXL connector, for all engines of a fleet
// at once.
import type { FinishReason } from '../request.ts';
import type { KvConnector, TieredSequence } from '../tiers/contract.ts';
import { KvExchangeConnector, type KvExchangeSide } from './kv-exchange-connector.ts';
import { KvFabric, type KvTransfer } from './kv-fabric.ts';

/** One engine's endpoint of the exchange. */
export interface KvExchangeEngine {
  /** Rate of its links, summed over its GPUs, in each direction. */
  readonly bytesPerSecond: number;
  /** Size of one KV block, summed over its GPUs. */
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
 * `prefilling`: announced by its engine; `ready`: computed, its blocks are kept; `reading`: in transfer.
 * Prompts that were read, lost or given up are forgotten.
 */
interface Handoff {
  readonly id: string;
  readonly from: number;
  state: 'prefilling' | 'ready' | 'reading';
  /** The request that holds the blocks, once computed. */
  kept: TieredSequence | undefined;
  reader: { readonly engine: number; readonly sequence: TieredSequence } | undefined;
  transfer: KvTransfer | undefined;
}

/** Outcome of a handoff when an engine failed. */
export interface LostHandoff {
  readonly id: string;
  /**
   * Whether a read was in progress; its load has then failed, and the reader's engine has been notified.
   */
  readonly wasRead: boolean;
}

/** Blocks that have lost their reader. */
interface Lease {
  readonly handoff: Handoff;
  readonly endSeconds: number;
}

const defaultLeaseSeconds = 30;

/**
 * The caller announces each prefill (`expect`), gives each engine its connector, advances the time
 * (`advance` at `nextSeconds`), and reports engines that fail.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/nixl/pull_scheduler.py
 */
export class KvExchange implements KvExchangeSide {
  readonly #options: KvExchangeOptions;
  readonly #fabric: KvFabric;
  readonly #handoffs = new Map<string, Handoff>();
  readonly #reads = new Map<KvTransfer, Handoff>();
  /** By engine, once it has connected. */
  readonly #connectors: KvExchangeConnector[] = [];
  /** Leases given up by their readers, in order of time. */
  readonly #leases: Lease[] = [];

  constructor(options: KvExchangeOptions) {
    const { engines, latencySeconds } = options;
    this.#options = options;
    this.#fabric = new KvFabric({ ports: engines, latencySeconds });
  }

  /** A new connector for an engine that starts or restarts. */
  connect(engine: number): KvConnector {
    const connector = new KvExchangeConnector(this, engine);
    this.#connectors[engine] = connector;
    return connector;
  }

  /**
   * Time at which `advance` has something to do next, unless a read starts before; otherwise
   * Infinity.
   */
  get nextSeconds(): number {
    return Math.min(
      this.#fabric.nextSeconds,
      this.#leases[0]?.endSeconds ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Prompts that are announced, kept or in transfer. */
  get size(): number {
    return this.#handoffs.size;
  }

  /** The request will be prefilled by one engine for another one to decode. */
  expect(id: string, engine: number): void {
    this.#handoffs.set(id, {
      ...{ id, from: engine, state: 'prefilling' },
      ...{ kept: undefined, reader: undefined, transfer: undefined },
    });
  }

  /** Returns whether the KV of a request's prompt can be read. */
  isReady(id: string): boolean {
    return this.#handoffs.get(id)?.state === 'ready';
  }

  /**
   * The prompt will not be read any more, and its engine is not notified: it keeps the blocks for a
   * while.
   */
  abandon(id: string, nowSeconds: number): void {
    const handoff = this.#handoffs.get(id);
    if (handoff === undefined) return;
    const { leaseSeconds = defaultLeaseSeconds } = this.#options;
    this.#leases.push({ handoff, endSeconds: nowSeconds + leaseSeconds });
  }

  /** @returns Indices of the engines with work to do now. */
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
   * An engine failed and lost all its blocks. Reads from it are lost: their loads fail. The prompts that
   * it was reading can be read again.
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

  /** Called by an engine's connector: whether the prompt was computed here for another engine. */
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

  /** Called by an engine's connector: its request has blocks for everything that it lacks, and reads it. */
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

  /** Called by an engine's connector: a request has ended there; if it was to read, it has not. */
  ended(engine: number, id: string): void {
    const handoff = this.#handoffs.get(id);
    if (handoff?.state === 'ready' && handoff.from !== engine) this.#release(handoff);
  }

  #release(handoff: Handoff): void {
    this.#handoffs.delete(handoff.id);
    if (handoff.kept) this.#connectors[handoff.from]?.released(handoff.kept);
  }
}
