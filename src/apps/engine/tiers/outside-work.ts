// What the tiers of an engine do outside the engine model: requests to servers, which the model's time does not wait for.

import type { EngineRequest } from '../../../core/engine/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

/** As `kv_transfer_params` name it. */
export interface SideChannel {
  readonly host: string;
  readonly port: number;
  readonly engineId: string;
}

/** What LMCache and a cache server exchanged since the start. */
export interface LmcacheRemoteStats {
  readonly readRequests: number;
  readonly readBytes: number;
  readonly writeRequests: number;
  readonly writeBytes: number;
  /** Loads that came to nothing: the server was gone or late, or had lost the value after it said that it has it. */
  readonly failedReads: number;
  readonly failedWrites: number;
  /** Values with a wrong byte or size; they count as missing. */
  readonly wrong: number;
  /** Chunks that were not sent because too many waited. */
  readonly dropped: number;
  readonly waiting: number;
  /** Whether the last request got a reply. */
  readonly isHealthy: boolean;
}

/** What LMCache and other engines exchanged since the start. */
export interface LmcachePeerStats {
  readonly readChunks: number;
  readonly readBytes: number;
  /** Chunks that did not come, although the controller knew of them. */
  readonly failedChunks: number;
  /** Chunks with a wrong byte or size; they count as missing. */
  readonly wrong: number;
}

export class OutsideWork {
  /** Requests whose replies decide what the engine can load. */
  pending = 0;
  /** How other engines reach this one to read KV; undefined if it keeps none for them. */
  sideChannel: SideChannel | undefined = undefined;
  /** Whether blocks have become free since the engine last told its statistics, though it made no step. */
  hasFreed = false;
  /** Called when KV that a request was to read did not come, and the request is to fail. */
  failed: (request: EngineRequest) => void = () => {};
  /** Called when one of them has its reply, after this time. */
  wake: (tookMs: number) => void = () => {};
  /** Counters of each cache server that the engine uses. */
  readonly stats: (() => LmcacheRemoteStats)[] = [];
  /** Counters of transfers between engines. */
  readonly peerStats: (() => LmcachePeerStats)[] = [];
  /** Chunks with a wrong byte or size, of each tier that has no other counters. */
  readonly wrongChunks: (() => number)[] = [];
  /** Called when chunks were lent to another engine: their tokens, and how long that took on the emulated link. */
  lent: (tokens: number, seconds: number) => void = () => {};
  readonly #starters: ((url: string) => void | Promise<void>)[] = [];
  readonly #closers: (() => void)[] = [];
  readonly #announced: ((sequence: GeneratedSequence) => void)[] = [];

  /** @param start Called once the engine listens, with its URL. */
  onListening(start: (url: string) => void | Promise<void>): void {
    this.#starters.push(start);
  }

  /** @throws {InputError} If something cannot begin. */
  async listening(url: string): Promise<void> {
    for (const start of this.#starters.splice(0)) await start(url);
  }

  /** @param hear Called for each sequence before it is queued. */
  onAnnounced(hear: (sequence: GeneratedSequence) => void): void {
    this.#announced.push(hear);
  }

  announced(sequence: GeneratedSequence): void {
    for (const hear of this.#announced) hear(sequence);
  }

  onClose(close: () => void): void {
    this.#closers.push(close);
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }
}
