// Follows the KV events of one engine: live ones, those missed, and restarts.
import type { KvKnowledge } from '../../core/kv/index.ts';
import {
  decodeKvEventBatch,
  type KvEventBatch,
  KvEventFormatError,
} from '../../core/protocol/index.ts';
import { SubscriberSocket } from '../zmq/index.ts';
import { requestReplay } from './replay.ts';
import { readSequence } from './sequence.ts';

export interface KvEventSourceOptions {
  readonly endpoint: string;
  /** Where missed batches are asked for; without it, they stay missed. */
  readonly replayEndpoint?: string | undefined;
  /** Prefix of the topics to hear. @default '' (all) */
  readonly topic?: string | undefined;
  /** Batches in the engine's order, none twice. */
  readonly onBatch: (batch: KvEventBatch) => void;
  /** The engine restarted: all that it had announced is gone. Batches from its start follow. */
  readonly onReset: () => void;
  /** Whether what was handed on is all that the engine announced changes. It begins with `none`. */
  readonly onKnowledge?: ((knowledge: KvKnowledge) => void) | undefined;
  /** Longest silence of the engine within a replay. @default 5000 */
  readonly replayTimeoutMs?: number | undefined;
  /** Pause before reconnecting; doubles up to 5 s. @default 100 */
  readonly reconnectMs?: number | undefined;
}

/** What has happened, for people who debug it. */
export interface KvEventSourceState {
  readonly connected: boolean;
  readonly knowledge: KvKnowledge;
  /** A replay is under way; live batches wait for it. */
  readonly replaying: boolean;
  /** Number of the batch that is due; undefined before the first. */
  readonly nextSequence: number | undefined;
  readonly batches: number;
  /** Batches that came again. */
  readonly duplicates: number;
  /** Times that numbers were missing. */
  readonly gaps: number;
  /** Batches that were missing and could not be had again. */
  readonly lostBatches: number;
  readonly replays: number;
  readonly failedReplays: number;
  readonly resets: number;
  /** Payloads that could not be read. */
  readonly formatErrors: number;
  /** From the engine's writing the last live batch to our reading it; needs clocks in step. */
  readonly lagSeconds: number | undefined;
}

/** Live batches that wait for a replay; when full, the oldest are lost (and counted). */
const pendingBatchesMax = 100_000;

/**
 * A subscription with memory. It asks for a replay when it connects (the first time from batch 0)
 * and when a number is missing. Batches that the engine no longer has are counted as lost, and what
 * is known stays: a removal that was missed costs one wrong guess, whereas forgetting all would
 * leave every later block without its parent.
 *
 * Numbers restart with the engine and carry no mark of its life. So a replay begins with the last
 * batch that we had: an engine that has another one under that number, or none, has restarted.
 */
export class KvEventSource {
  readonly #options: KvEventSourceOptions;
  readonly #subscriber: SubscriberSocket;
  readonly #closing = new AbortController();
  #next: number | undefined;
  /** Time stamp of batch `#next - 1`: tells two lives of an engine apart. */
  #lastTimestamp = 0;
  /** Whether the engine on this connection may be another life than the one we know. */
  #unverified = true;
  /** Live batches while a replay is under way, else undefined. */
  #pending: (readonly [sequence: number, payload: Uint8Array])[] | undefined;
  #replayAgain = false;
  /** Nothing was lost since the engine began. */
  #isWhole = true;
  /** The last replay failed, so that batches may be missing. */
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
      reconnectMs: options.reconnectMs,
      onConnected: () => {
        this.#unverified = true;
        this.#catchUp();
        this.#tellKnowledge();
      },
      onDisconnected: () => {
        // What waits from this connection is in the engine's replay too, if it still lives.
        this.#pending?.splice(0);
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
      this.#pending.push([sequence, payload.slice()]);
      if (this.#pending.length > pendingBatchesMax) this.#pending.shift();
    } else if (sequence < next && !this.#unverified) {
      this.#counts.duplicates += 1;
    } else {
      if (sequence > next) this.#counts.gaps += 1;
      this.#takeLive(sequence, payload);
    }
  }

  /** Takes a live batch whatever its number is: what is missing before it stays missing. */
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
    // Without a replay only a first batch with the number 0 shows that none came before it.
    const heardFromStart = replayEndpoint !== undefined || this.#next !== undefined;
    return heardFromStart && this.#isWhole && !this.#replayFailed ? 'exact' : 'partial';
  }

  /** Replays what is missing, while live batches wait. */
  async #catchUp(): Promise<void> {
    const { replayEndpoint } = this.#options;
    if (replayEndpoint === undefined) return;
    this.#replayAgain = true;
    if (this.#pending !== undefined) return;
    this.#pending = [];
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
        signal: this.#closing.signal,
        onBatch: (sequence, payload) => {
          answers += 1;
          if (answers === 1 && sequence === expected - 1) {
            anotherLife = this.#timestampOf(payload) !== this.#lastTimestamp;
          }
          if (anotherLife || sequence < expected) return;
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
      if (!(error instanceof KvEventFormatError)) throw error;
      this.#counts.formatErrors += 1;
      this.#isWhole = false;
      return undefined;
    }
  }

  /** 0, as after a payload that could not be read, if this one cannot either. */
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
