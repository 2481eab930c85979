// vLLM's NIXL connector in an embedded engine: it keeps the KV of prompts that other engines will decode, and reads that of
// prompts that others have computed, in the time that the emulated link takes.
import {
  type FinishReason,
  type KvConnector,
  type TieredSequence,
  type TierHit,
  type TierStats,
  type TierStep,
  TransferLink,
  type TransferLinkOptions,
  type TransferStats,
} from '../../../core/engine/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';
import type { KvPlace } from '../sequences/kv-transfer.ts';
import type { ChannelVerb } from './nixl-channel.ts';
import type { OutsideWork } from './outside-work.ts';

export interface NixlConnectorOptions {
  readonly blockSize: number;
  /** Size of one block on the emulated link, summed over the GPUs. */
  readonly blockBytes: number;
  /** Links of the engine's GPUs, summed, for reads. */
  readonly link: TransferLinkOptions;
  /** What happens to a request whose KV could not be read: vLLM's `kv_load_failure_policy`. */
  readonly loadFailure: 'fail' | 'recompute';
  readonly outside: OutsideWork;
  /** Sends a message to the engine that keeps a prompt. */
  readonly tell: (place: KvPlace, verb: ChannelVerb) => Promise<boolean>;
  readonly onTransfer?:
    | ((direction: 'load' | 'store', bytes: number, seconds: number) => void)
    | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** vLLM's `kv_lease_duration`: how long KV is kept that no engine asks for. */
const leaseMs = 30_000;
/** vLLM's interval of heartbeats for prompts whose readers wait. */
const heartbeatMs = 5_000;

const noHit: TierHit = { tokens: 0, isAsync: false, source: 'external_unspecified' };
const none: TransferStats = { transfers: 0, bytes: 0, seconds: 0 };

/** A prompt that another engine may read. */
interface Kept {
  readonly sequence: TieredSequence;
  readonly bytes: number;
  /** Of the wall clock, as the messages of its reader. */
  endMs: number;
  readSeconds: number | undefined;
}

interface Read {
  readonly sequence: TieredSequence;
  readonly from: KvPlace;
  readonly bytes: number;
  /** What the other engine has said; undefined before it has. */
  isGranted: boolean | undefined;
  startSeconds: number;
  /** Infinity until the time of the transfer is known. */
  dueSeconds: number;
}

/** Each prompt is read once: a request that is preempted later computes it again. */
export class NixlConnector implements KvConnector {
  readonly #options: NixlConnectorOptions;
  readonly #link: TransferLink;
  readonly #kept = new Map<string, Kept>();
  /** Kept prompts that were read, or given up by their readers. */
  #released: TieredSequence[] = [];
  #reads: Read[] = [];
  /** Requests whose prompt is on another engine, until it is read or they end. */
  readonly #waiting = new Map<string, KvPlace>();
  readonly #failed = new Set<TieredSequence>();
  readonly #heartbeat: NodeJS.Timeout;
  #nowSeconds = 0;
  #received = none;
  #sent = none;

  constructor(options: NixlConnectorOptions) {
    this.#options = options;
    this.#link = new TransferLink(options.link);
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs).unref();
    options.outside.onAnnounced((sequence) => this.#announced(sequence));
    options.outside.onClose(() => clearInterval(this.#heartbeat));
  }

  get nextSeconds(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueSeconds } of this.#reads) next = Math.min(next, dueSeconds);
    return next;
  }

  get stats(): TierStats {
    return {
      ...{ loads: this.#received, stores: this.#sent },
      ...{ allocationFailures: 0, storesSkipped: 0, tiers: [] },
    };
  }

  /** Prompts that are kept for other engines. */
  get keptPrompts(): number {
    return this.#kept.size;
  }

  lookup({ request }: TieredSequence, localTokens: number): TierHit {
    const from = this.#waiting.get(request.id);
    if (from === undefined) return noHit;
    const { promptTokens } = request;
    const { blockSize } = this.#options;
    const there = Math.min(from.tokens ?? promptTokens, promptTokens);
    const readable = there === promptTokens ? there : Math.floor(there / blockSize) * blockSize;
    const tokens = readable - localTokens;
    return tokens > 0 ? { tokens, isAsync: true, source: 'p2p' } : noHit;
  }

  load(sequence: TieredSequence, localTokens: number, hit: TierHit, nowSeconds: number): void {
    const from = this.#waiting.get(sequence.request.id);
    if (hit.tokens === 0 || from === undefined) return;
    this.#nowSeconds = nowSeconds;
    this.#waiting.delete(sequence.request.id);
    const { blockSize, blockBytes, outside, loadFailure } = this.#options;
    const blocks = Math.ceil((localTokens + hit.tokens) / blockSize) - localTokens / blockSize;
    const read: Read = {
      ...{ sequence, from, bytes: blocks * blockBytes },
      ...{ isGranted: undefined, startSeconds: nowSeconds, dueSeconds: Number.POSITIVE_INFINITY },
    };
    this.#reads.push(read);
    outside.pending++;
    const startMs = performance.now();
    void this.#tell(from, 'read').then((isGranted) => {
      outside.pending--;
      read.isGranted = isGranted;
      if (!isGranted) {
        this.#options.log?.(
          `The KV cache of request ${from.requestId} at ${from.host}:${from.port} could not be read.`,
        );
        if (loadFailure === 'fail') outside.failed(sequence.request);
      }
      outside.wake(performance.now() - startMs);
    });
  }

  /** Remembers the blocks of a prompt that is complete after this step, for the response. */
  planned({ sequences, scheduledTokens, startSeconds }: TierStep): number {
    this.#nowSeconds = Math.max(this.#nowSeconds, startSeconds);
    for (const [i, { request, computedTokens, blocks }] of sequences.entries()) {
      const sequence = request as GeneratedSequence;
      if (sequence.transfer?.kind !== 'keep') continue;
      const computed = computedTokens + (scheduledTokens[i] ?? 0);
      if (computed < request.promptTokens) continue;
      const count = Math.ceil(request.promptTokens / this.#options.blockSize);
      sequence.keptBlocks = blocks.slice(0, count);
    }
    return 0;
  }

  advance(nowSeconds: number): readonly TieredSequence[] {
    this.#nowSeconds = nowSeconds;
    const done = this.#released;
    this.#released = [];
    if (this.#reads.length > 0) this.#reads = this.#reads.filter((read) => !this.#ends(read, done));
    return done;
  }

  hasFailed(sequence: TieredSequence): boolean {
    return this.#failed.delete(sequence);
  }

  keepsBlocks(sequence: TieredSequence, reason: FinishReason): boolean {
    const { id, promptTokens } = sequence.request;
    const { transfer, finishReason } = sequence.request as GeneratedSequence;
    // vLLM keeps the blocks of what reached its length only: of prefills.
    const isPrefill = transfer?.kind === 'keep' && finishReason === 'length';
    if (!isPrefill || reason === 'abort') return false;
    const { blockSize, blockBytes } = this.#options;
    this.#kept.set(id, {
      ...{ sequence, bytes: Math.ceil(promptTokens / blockSize) * blockBytes },
      ...{ endMs: performance.now() + leaseMs, readSeconds: undefined },
    });
    return true;
  }

  /** A request that ends before its read has begun leaves the other engine's blocks. */
  finished({ request }: TieredSequence): void {
    const from = this.#waiting.get(request.id);
    if (from === undefined) return;
    this.#waiting.delete(request.id);
    void this.#tell(from, 'done');
  }

  /** What is kept for other engines stays. */
  reset(): boolean {
    return true;
  }

  /** A message of another engine. @returns Whether the KV is kept. */
  heard(verb: ChannelVerb, requestId: string): boolean {
    const kept = this.#kept.get(requestId);
    if (kept === undefined) return false;
    const { outside, onTransfer } = this.#options;
    if (verb !== 'done') {
      kept.endMs = performance.now() + leaseMs;
      if (verb === 'read') kept.readSeconds = this.#nowSeconds;
      return true;
    }
    this.#kept.delete(requestId);
    this.#released.push(kept.sequence);
    if (kept.readSeconds !== undefined) {
      const seconds = this.#nowSeconds - kept.readSeconds;
      this.#sent = counted(this.#sent, kept.bytes, seconds);
      onTransfer?.('store', kept.bytes, seconds);
    }
    outside.hasFreed = true;
    outside.wake(0);
    return true;
  }

  /** @returns Whether the read is over. */
  #ends(read: Read, done: TieredSequence[]): boolean {
    const { sequence, from, bytes, isGranted } = read;
    if (isGranted === undefined) return false;
    if (!isGranted) {
      done.push(sequence);
      this.#failed.add(sequence);
      return true;
    }
    if (read.dueSeconds === Number.POSITIVE_INFINITY) {
      read.startSeconds = this.#nowSeconds;
      read.dueSeconds = this.#link.transfer(bytes, this.#nowSeconds);
    }
    if (read.dueSeconds > this.#nowSeconds) return false;
    const seconds = read.dueSeconds - read.startSeconds;
    this.#received = counted(this.#received, bytes, seconds);
    this.#options.onTransfer?.('load', bytes, seconds);
    void this.#tell(from, 'done');
    done.push(sequence);
    return true;
  }

  #announced({ id, transfer }: GeneratedSequence): void {
    if (transfer?.kind === 'read') this.#waiting.set(id, transfer.from);
  }

  /** Has the KV of requests in the queue kept, and frees what no engine has asked for. */
  #beat(): void {
    for (const from of this.#waiting.values()) void this.#tell(from, 'keep');
    const nowMs = performance.now();
    for (const [id, { sequence, endMs }] of this.#kept) {
      if (endMs > nowMs) continue;
      this.#kept.delete(id);
      this.#released.push(sequence);
    }
    if (this.#released.length === 0) return;
    this.#options.outside.hasFreed = true;
    this.#options.outside.wake(0);
  }

  /** An engine that does not respond has lost what it kept. */
  #tell(from: KvPlace, verb: ChannelVerb): Promise<boolean> {
    return this.#options.tell(from, verb).catch(() => false);
  }
}

function counted(stats: TransferStats, bytes: number, seconds: number): TransferStats {
  return {
    transfers: stats.transfers + 1,
    bytes: stats.bytes + bytes,
    seconds: stats.seconds + seconds,
  };
}
