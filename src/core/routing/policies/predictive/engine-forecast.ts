// What the predictive policy knows of one engine: how fast it is, what is queued there, and how
// full its KV cache is.
import type { Endpoint, Outcome } from '../../contract.ts';
import { PrefillBacklog } from './prefill-backlog.ts';
import { PrefillSpeed, type SpeedLine } from './prefill-speed.ts';

/**
 * Context at which attention costs as much as the rest of the layers: 2 · parameters / (4 · layers
 * · heads · head size) is 27,000 tokens for Qwen3-8B, 30,000 for Llama-3.1-8B and Qwen3-32B.
 */
const attentionEqualTokens = 30_000;
/** First bytes closer together than this come from one step of the engine. */
const sameStepSeconds = 0.005;
/** Reading the KV of one context token once: 147 kB (Qwen3-8B) at 3.35 TB/s (H100). */
const decodeSecondsPerToken = 45e-9;
/** Token budget of a step (`max_num_batched_tokens`) on an H100; a longer prefill takes more. */
const stepTokens = 8192;
/** Share of the KV cache past which vLLM makes new requests wait. */
const kvUsageFull = 0.98;
/** A report of the engine's KV usage older than this says nothing about now. */
const reportSecondsMax = 30;
/** Weight of one observation in the mean duration of requests. */
const durationWeight = 1 / 32;
/** What was assigned counts half after this time. */
const assignedHalfLifeSeconds = 600;

/** Prefill work of a prompt in tokens' worth of compute without context. */
export function prefillWork(uncachedTokens: number, cachedTokens: number): number {
  const meanContext = cachedTokens + uncachedTokens / 2;
  return uncachedTokens * (1 + meanContext / attentionEqualTokens);
}

export class EngineForecast {
  readonly speed = new PrefillSpeed();
  readonly #backlog = new PrefillBacklog();
  /** A sample that waits for others of the same step. */
  #pendingWork = 0;
  #pendingSeconds = 0;
  /** Tokens that requests in flight take from the KV cache, besides what they found cached. */
  #heldTokens = 0;
  #heldAtReport = 0;
  #reportSeconds = Number.NEGATIVE_INFINITY;
  #meanDurationSeconds = 5;
  #assignedWork = 0;
  #assignedSeconds = 0;

  waitSeconds(nowSeconds: number): number {
    return this.#backlog.waitSeconds(nowSeconds);
  }

  /** Slower steps: each reads the KV of all running requests. */
  decodeSeconds(endpoint: Endpoint, uncachedTokens: number): number {
    return decodeSecondsPerToken * endpoint.load.decodeTokens * (1 + uncachedTokens / stepTokens);
  }

  /**
   * Wait for KV blocks, if the prompt does not fit now: by Little's law the engine gives back
   * what it holds once per mean duration of a request.
   */
  memorySeconds(endpoint: Endpoint, uncachedTokens: number, nowSeconds: number): number {
    const { reported } = endpoint;
    if (!reported?.blocksTotal || !reported.blockTokens) return 0;
    if (reported.atSeconds !== this.#reportSeconds) {
      this.#reportSeconds = reported.atSeconds;
      this.#heldAtReport = this.#heldTokens;
    }
    if (nowSeconds - reported.atSeconds > reportSecondsMax) return 0;
    const capacity = reported.blocksTotal * reported.blockTokens;
    const used = reported.kvUsage * capacity + this.#heldTokens - this.#heldAtReport;
    const excess = used + uncachedTokens - kvUsageFull * capacity;
    if (excess <= 0) return 0;
    return (excess / Math.max(used, uncachedTokens)) * this.#meanDurationSeconds;
  }

  /** Prefill work given to this engine lately, for breaking ties. */
  assignedWork(nowSeconds: number): number {
    const idle = Math.max(0, nowSeconds - this.#assignedSeconds);
    return this.#assignedWork * 0.5 ** (idle / assignedHalfLifeSeconds);
  }

  sent(key: object, work: number, uncachedTokens: number, now: number, streams: boolean): void {
    this.#backlog.add(key, this.speed.secondsFor(work), now, streams);
    this.#heldTokens += uncachedTokens;
    this.#assignedWork = this.assignedWork(now) + work;
    this.#assignedSeconds = now;
  }

  /** @returns Work and seconds to learn from, once a step's first bytes are all in. */
  firstByte(
    key: object,
    work: number,
    sentSecondsAgo: number,
    nowSeconds: number,
    prior: SpeedLine,
  ): { readonly work: number; readonly seconds: number } | undefined {
    const seconds = this.#backlog.firstByte(key, sentSecondsAgo, nowSeconds);
    if (seconds === undefined) return undefined;
    let learned: { readonly work: number; readonly seconds: number } | undefined;
    if (seconds >= sameStepSeconds && this.#pendingSeconds > 0) {
      learned = { work: this.#pendingWork, seconds: this.#pendingSeconds };
      this.speed.observe(learned.work, learned.seconds, nowSeconds, prior);
      this.#pendingWork = 0;
      this.#pendingSeconds = 0;
    }
    this.#pendingWork += work;
    this.#pendingSeconds += seconds;
    return learned;
  }

  finished(
    key: object,
    uncachedTokens: number,
    sentSecondsAgo: number,
    now: number,
    outcome: Outcome,
  ): void {
    this.#backlog.drop(key, now);
    this.#heldTokens = Math.max(0, this.#heldTokens - uncachedTokens);
    if (outcome.status !== 'completed') return;
    this.#meanDurationSeconds += (sentSecondsAgo - this.#meanDurationSeconds) * durationWeight;
  }
}
