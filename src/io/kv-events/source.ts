// Follows the KV events of one engine: receives live ones, replays missed ones, detects restarts.
import type { KvKnowledge } from '../../core/kv/index.ts';
import {
  decodeKvEventBatch,
  type KvEventBatch,
  MessagePackFormatError,
} from '../../core/protocol/index.ts';
import { SubscriberSocket } from '../zmq/index.ts';
import { requestReplay } from './replay.ts';
import { readSequence } from './sequence.ts';

export interface KvEventSourceOptions {
  readonly endpoint: string;
  /** Where to request missed batches; without it, they stay missing. */
  readonly replayEndpoint?: string | undefined;
  /** Prefix of the topics to subscribe to. @default '' (all) */
  readonly topic?: string | undefined;
  /** Called with batches in the engine's order, each once. */
  readonly onBatch: (batch: KvEventBatch) => void;
  /** The engine restarted: everything that it announced is gone. Batches from its start follow. */
  readonly onReset: () => void;
  /**
   * Called when the coverage changes: whether all that the engine announced was passed on. Starts
   * with `none`.
   */
  readonly onKnowledge?: ((knowledge: KvKnowledge) => void) | undefined;
  /** Maximum silence of the engine within a replay. @default 5000 */
  readonly replayTimeoutMs?: number | undefined;
  /** Pause before reconnecting; doubles up to 5 s. @default 100 */
  readonly reconnectMs?: number | undefined;
}

/** Counts of events, for debugging. */
export interface KvEventSourceState {
  readonly connected: boolean;
  readonly knowledge: KvKnowledge;
  /** Whether a replay is in progress; live batches wait for it. */
  readonly replaying: boolean;
  /** Number of the next expected batch; undefined before the first. */
  readonly nextSequence: number | undefined;
  readonly batches: number;
  /** Number of batches received again. */
  readonly duplicates: number;
  /** Number of times that batch numbers were missing. */
  readonly gaps: number;
  /** Number of missing batches that could not be replayed. */
  readonly lostBatches: number;
  readonly replays: number;
  readonly failedReplays: number;
  readonly resets: number;
  /** Number of payloads that could not be read. */
  readonly formatErrors: number;
  /**
   * Delay from writing the last live batch in the engine to reading it here; needs synchronized
   * clocks.
   */
  readonly lagSeconds: number | undefined;
}

/**
 * Maximum number of live batches that wait for a replay; when full, the oldest are lost (and
 * counted).
 */
const pendingBatchesMax = 100_000;
/** The same for their bytes, of an engine: 100,000 batches of a usual step take less. */
const pendingBytesMax = 64 << 20;
/** Largest batch: a step of a million tokens, of 5 bytes each, and its block hashes take 8 MiB. */
const batchBytesMax = 16 << 20;

/**
 * A subscription that recovers missed batches. It requests a replay when it connects (the first
 * time from batch 0) and when a number is missing. Batches that the engine no longer keeps are
 * counted as lost, and the known blocks stay: a missed removal costs one wrong guess, whereas
 * forgetting everything would leave every later block without its parent.
 * Numbers restart with the engine, and nothing else identifies its process. So a replay starts with
 * the last received batch: an engine that has another batch with that number, or none, has
 * restarted.
 */
export class KvEventSource {
  readonly #options: KvEventSourceOptions;
  readonly #subscriber: SubscriberSocket;
  readonly #closing = new AbortController();
  #next: number | undefined;
  /** Time stamp of batch `#next - 1`: detects a restart of the engine. */
  #lastTimestamp = 0;
  /** Whether the engine on this connection may have restarted since the last known batch. */
  #unverified = true;
  /** Live batches during a replay, otherwise undefined. */
  #pending: [sequence: number, payload: Uint8Array][] | undefined;
  #pendingBytes = 0;
  #replayAgain = false;
  /** Whether nothing was lost since the engine started. */
  #isWhole = true;
  /** Whether the last replay failed, so that batches may be missing. */
  #replayFailed = false;
  #knowledge: KvKnowledge = 'none';
  #lagSeconds: number | undefined;
  readonly #counts = {
    batches: 0,
    duplicates: 0,
    gaps: 0,
    lostBatches: 0,
    replays: 0,
    failedReplays: 0,
    resets: 0,
    formatErrors: 0,
  };

  /** @throws {InputError} If the endpoint is malformed. */
  constructor(options: KvEventSourceOptions) {
    this.#options = options;
    this.#subscriber = new SubscriberSocket({
      endpoint: options.endpoint,
      topic: options.topic ?? '',
      limits: { frameBytesMax: batchBytesMax, messageBytesMax: batchBytesMax },
      reconnectMs: options.reconnectMs,
      onConnected: () => {
        this.#unverified = true;
        this.#catchUp();
        this.#tellKnowledge();
      },
      onDisconnected: () => {
        // Batches that wait from this connection are in the engine's replay too, if it still runs.
        this.#pending?.splice(0);
        this.#pendingBytes = 0;
        this.#tellKnowledge();
      },
      onMessage: (frames) => this.#hear(frames),
    });
  }

  get state(): KvEventSourceState {
    return {
      connected: this.#subscriber.connected,
      knowledge: this.#knowledge,
      replaying: this.#pending !== undefined,
      nextSequence: this.#next,
      ...this.#counts,
      lagSeconds: this.#lagSeconds,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#subscriber.close();
  }

  #hear(frames: readonly Uint8Array[]): void {
    const [, number, payload] = frames;
    if (frames.length !== 3 || number?.length !== 8 || payload === undefined) {
      this.#counts.formatErrors += 1;
      return;
    }
    const sequence = readSequence(number);
    const next = this.#next ?? (this.#options.replayEndpoint === undefined ? sequence : 0);
    if (this.#pending === undefined && sequence > next && this.#options.replayEndpoint) {
      this.#counts.gaps += 1;
      this.#catchUp();
    }
    if (this.#pending !== undefined) {
      this.#wait(this.#pending, sequence, payload);
    } else if (sequence < next && !this.#unverified) {
      this.#counts.duplicates += 1;
    } else {
      if (sequence > next) this.#counts.gaps += 1;
      this.#takeLive(sequence, payload);
    }
  }

  #wait(pending: [sequence: number, payload: Uint8Array][], sequence: number, payload: Uint8Array) {
    pending.push([sequence, payload.slice()]);
    this.#pendingBytes += payload.length;
    while (pending.length > pendingBatchesMax || this.#pendingBytes > pendingBytesMax) {
      this.#pendingBytes -= pending.shift()?.[1].length ?? 0;
    }
  }

  /** Applies a live batch whatever its number: batches missing before it stay missing. */
  #takeLive(sequence: number, payload: Uint8Array): void {
    if (this.#next !== undefined && sequence < this.#next) this.#reset();
    this.#unverified = false;
    if (sequence > (this.#next ?? 0)) this.#isWhole = false;
    this.#counts.lostBatches += this.#next === undefined ? 0 : sequence - this.#next;
    const timestamp = this.#apply(sequence, payload);
    if (timestamp !== undefined) this.#lagSeconds = Date.now() / 1000 - timestamp;
    this.#tellKnowledge();
  }

  #tellKnowledge(): void {
    const now = this.#knowledgeNow();
    if (now === this.#knowledge) return;
    this.#knowledge = now;
    this.#options.onKnowledge?.(now);
  }

  #knowledgeNow(): KvKnowledge {
    if (!this.#subscriber.connected || this.#pending !== undefined) return 'none';
    const { replayEndpoint } = this.#options;
    // Without a replay, only a first batch with number 0 shows that none came before it.
    const heardFromStart = replayEndpoint !== undefined || this.#next !== undefined;
    return heardFromStart && this.#isWhole && !this.#replayFailed ? 'exact' : 'partial';
  }

  /** Replays missing batches while live ones wait. */
  async #catchUp(): Promise<void> {
    const { replayEndpoint } = this.#options;
    if (replayEndpoint === undefined) return;
    this.#replayAgain = true;
    if (this.#pending !== undefined) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#tellKnowledge();
    while (this.#replayAgain && !this.#closing.signal.aborted) {
      this.#replayAgain = false;
      await this.#replay(replayEndpoint);
    }
    const pending = this.#pending;
    this.#pending = undefined;
    for (const [sequence, payload] of pending) {
      const known = this.#next !== undefined && sequence < this.#next && !this.#unverified;
      if (!known) this.#takeLive(sequence, payload);
    }
    this.#tellKnowledge();
  }

  async #replay(endpoint: string): Promise<void> {
    const expected = this.#next ?? 0;
    let answers = 0;
    let anotherLife = false;
    this.#counts.replays += 1;
    try {
      await requestReplay({
        endpoint,
        first: Math.max(0, expected - 1),
        timeoutMs: this.#options.replayTimeoutMs ?? 5000,
        bytesMax: batchBytesMax,
        signal: this.#closing.signal,
        onBatch: (sequence, payload) => {
          answers += 1;
          if (answers === 1 && sequence === expected - 1) {
            anotherLife = this.#timestampOf(payload) !== this.#lastTimestamp;
          }
          // A number that comes again, or out of order, was applied or is lost.
          if (anotherLife || sequence < (this.#next ?? expected)) return;
          this.#counts.lostBatches += sequence - (this.#next ?? 0);
          if (sequence > (this.#next ?? 0)) this.#isWhole = false;
          this.#apply(sequence, payload);
        },
      });
    } catch {
      if (this.#closing.signal.aborted) return;
      this.#counts.failedReplays += 1;
      this.#replayFailed = true;
      return;
    }
    this.#replayFailed = false;
    this.#unverified = false;
    if (expected > 0 && (anotherLife || answers === 0)) {
      this.#reset();
      this.#replayAgain = true;
    }
  }

  /** @returns The batch's time stamp, if it could be read. */
  #apply(sequence: number, payload: Uint8Array): number | undefined {
    this.#next = sequence + 1;
    this.#counts.batches += 1;
    this.#lastTimestamp = 0;
    try {
      const batch = decodeKvEventBatch(payload);
      this.#lastTimestamp = batch.timestampSeconds;
      this.#options.onBatch(batch);
      return batch.timestampSeconds;
    } catch (error) {
      if (!(error instanceof MessagePackFormatError)) throw error;
      this.#counts.formatErrors += 1;
      this.#isWhole = false;
      return undefined;
    }
  }

  /** 0 if this payload, too, cannot be read; that is also the value after such a payload. */
  #timestampOf(payload: Uint8Array): number {
    try {
      return decodeKvEventBatch(payload).timestampSeconds;
    } catch {
      return 0;
    }
  }

  #reset(): void {
    this.#counts.resets += 1;
    this.#next = undefined;
    this.#lastTimestamp = 0;
    this.#isWhole = true;
    this.#options.onReset();
  }
}
