// The predictive policy's state of one engine: its speed, its queue, and how full its KV cache is.
import type { ReportedLoad } from '../../contract.ts';
import { ForecastRow, type ForecastTable, readSecondsPerToken } from './forecast-row.ts';
import { ForeignLoad } from './foreign-load.ts';
import { type CachedPrefix, IdlePrefixes } from './idle-prefixes.ts';
import { KvMemory } from './kv-memory.ts';
import { PrefillBacklog, type PrefillKey, updateSecondsMax } from './prefill-backlog.ts';
import { PrefillSpeed, type SpeedLine } from './prefill-speed.ts';
import { SecondChance } from './second-chance.ts';

/**
 * Context at which attention costs as much as the rest of the layers: 2 · parameters / (4 · layers
 * · heads · head size) is 27,000 tokens for Qwen3-8B, 30,000 for Llama-3.1-8B and Qwen3-32B.
 */
const attentionEqualTokens = 30_000;
/** First bytes closer together than this come from one step of the engine. */
const sameStepSeconds = 0.005;
/** Weight of one request in the mean prefill and prompt. */
const requestWeight = 1 / 32;
/** Weight of one request in the mean cached share, which falls within seconds once prefixes are evicted. */
const cachedWeight = 1 / 16;

/** Observations of an engine, and how much longer than the longest of them a prefill may be, for a prediction to be relied on. */
const seenSamplesMin = 8;
const seenWorkFactor = 4;

/** Least share of the time to a first byte that counts as prefill when KV was loaded before it. */
const computeShareMin = 0.1;

/** Prefill work of a prompt, in tokens' worth of compute without context. */
export function prefillWork(uncachedTokens: number, cachedTokens: number): number {
  const meanContext = cachedTokens + uncachedTokens / 2;
  return uncachedTokens * (1 + meanContext / attentionEqualTokens);
}

/** One attempt, from its pick to its end. */
export interface Attempt extends PrefillKey, CachedPrefix {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Expected time of loads from tiers below the GPU, before the prefill. @default 0 */
  readonly loadSeconds?: number;
  /** `prefillWork` of its prompt. */
  readonly work: number;
  readonly sentSeconds: number;
  /** Whether a peer router sent it; its updates arrive a little late. */
  readonly isFromPeer: boolean;
}

/** Prefill work and the time that it took. */
export interface SpeedSample {
  readonly work: number;
  readonly seconds: number;
}

export class EngineForecast {
  /** The state that picks read. */
  readonly row: ForecastRow;
  readonly #speed: PrefillSpeed;
  readonly #secondChance: SecondChance;
  readonly #backlog = new PrefillBacklog<Attempt>();
  readonly #foreign = new ForeignLoad();
  readonly #memory = new KvMemory();
  readonly #idle = new IdlePrefixes();
  #report: ReportedLoad | undefined;
  /** Work and time of the first bytes of the current step. */
  #stepWork = 0;
  #stepSeconds = 0;
  /** The same work if nothing had been cached. */
  #stepWholeWork = 0;
  #samples = 0;
  #mostWork = 0;
  #inflight = 0;
  /** Prompt tokens of the requests in flight. */
  #contextTokens = 0;
  /** Means over the requests sent; undefined before the first. */
  #prefillSeconds: number | undefined;
  #promptTokens: number | undefined;
  #cachedShare = 0;

  /** @param prior Speed of similar engines. */
  constructor(prior: SpeedLine, table: ForecastTable) {
    this.row = new ForecastRow(table, table.add());
    this.#speed = new PrefillSpeed(prior, this.row);
    this.#secondChance = new SecondChance(this.row, this.#speed);
    this.#noteChange();
  }

  /** Whether predictions for such a prefill rest on what was seen of this engine. */
  hasSeen(work: number): boolean {
    return this.#samples >= seenSamplesMin && work <= seenWorkFactor * this.#mostWork;
  }

  /** Seconds until the engine starts a request that joins the queue now. */
  waitSeconds(nowSeconds: number): number {
    const own = this.#backlog.waitSeconds(nowSeconds);
    const foreign = this.#foreign.waitSeconds(nowSeconds);
    this.#noteChange();
    return Math.max(own, foreign);
  }

  /** Requests sent by this router and its peers that have not finished. */
  get inflight(): number {
    return this.#inflight;
  }

  /** Mean share of the last prompts sent here that was cached. */
  get cachedShare(): number {
    return this.#cachedShare;
  }

  /** Takes in a report of the engine's requests in flight. */
  reported(report: ReportedLoad, nowSeconds: number): void {
    const { length: queued } = this.#backlog;
    const waitSeconds = this.#backlog.waitSeconds(nowSeconds);
    const own = { inflight: this.#inflight, queued, waitSeconds };
    this.#foreign.reported(report, own, this.#prefillSeconds ?? this.#speed.secondsFor(0));
    let waitingTokens = 0;
    // A cached prefix is in use from the engine's next step on, so it counts as reported.
    for (const attempt of this.#backlog.keys()) waitingTokens += uncachedTokensOf(attempt);
    this.#memory.reported(waitingTokens);
    this.#report = report;
    this.#noteChange();
  }

  /** Seconds until the KV cache has room for the prompt, regardless of the prefill ahead. */
  memorySeconds(
    reported: ReportedLoad | undefined,
    uncachedTokens: number,
    nowSeconds: number,
  ): number {
    return this.#memory.waitSeconds(reported, uncachedTokens, nowSeconds);
  }

  /** Time that a step spends on reading the context of all requests. */
  get #contextReadSeconds(): number {
    const foreignTokens = this.#foreign.inflight * (this.#promptTokens ?? 0);
    return readSecondsPerToken * (this.#contextTokens + foreignTokens);
  }

  /**
   * @param streams Whether the first byte marks the end of prefill.
   * @param share All requests of the fleet divided by those of this router.
   * @returns The prefill that the engine was assigned for it, in seconds.
   */
  sent(attempt: Attempt, nowSeconds: number, streams: boolean, share: number): number {
    const seconds = this.#speed.secondsFor(attempt.work) + (attempt.loadSeconds ?? 0);
    this.#backlog.add(attempt, seconds, nowSeconds, streams);
    this.#foreign.sent(seconds, share, nowSeconds);
    this.#prefillSeconds = meanWith(this.#prefillSeconds, seconds);
    this.#promptTokens = meanWith(this.#promptTokens, attempt.promptTokens);
    const cachedShare = attempt.cachedTokens / Math.max(1, attempt.promptTokens);
    this.#cachedShare += (cachedShare - this.#cachedShare) * cachedWeight;
    this.#inflight += 1;
    this.#contextTokens += attempt.promptTokens;
    this.#memory.sent(uncachedTokensOf(attempt) + this.#idle.claim(attempt, nowSeconds));
    this.row.assign(seconds, nowSeconds);
    this.#noteChange();
    return seconds;
  }

  /** @returns The sample that the speed was fitted to, once all first bytes of a step have arrived. */
  firstByte(
    attempt: Attempt,
    sentSecondsAgo: number,
    nowSeconds: number,
    prior: SpeedLine,
  ): SpeedSample | undefined {
    const seconds = this.#backlog.firstByte(attempt, sentSecondsAgo, nowSeconds);
    if (seconds === undefined) return undefined;
    this.#noteChange();
    const { isDisturbed } = this.#secondChance;
    const wholeWork = prefillWork(attempt.promptTokens, 0);
    if (isDisturbed) this.#secondChance.observe(wholeWork, seconds, nowSeconds);
    let sample: SpeedSample | undefined;
    // A late update would count as a separate step without duration; merging two steps does no harm.
    const stepSecondsMin = sameStepSeconds + (attempt.isFromPeer ? updateSecondsMax : 0);
    if (seconds >= stepSecondsMin && this.#stepSeconds > 0) {
      sample = { work: this.#stepWork, seconds: this.#stepSeconds };
      if (!isDisturbed && this.#samples >= seenSamplesMin) {
        this.#secondChance.observe(this.#stepWholeWork, sample.seconds, nowSeconds);
      }
      this.#speed.observe(sample.work, sample.seconds, nowSeconds, prior);
      this.#samples++;
      this.#mostWork = Math.max(this.#mostWork, sample.work);
      this.#stepWork = 0;
      this.#stepWholeWork = 0;
      this.#stepSeconds = 0;
    }
    if (this.#foreign.queued > 0) {
      // Requests of other routers took an unknown part of the time.
      this.#stepWork = 0;
      this.#stepWholeWork = 0;
      this.#stepSeconds = 0;
      this.#speed.hold(nowSeconds);
      return sample;
    }
    this.#stepWork += attempt.work;
    this.#stepWholeWork += wholeWork;
    // A load may be faster than expected; what remains is never nothing.
    this.#stepSeconds += Math.max(seconds - (attempt.loadSeconds ?? 0), seconds * computeShareMin);
    return sample;
  }

  /** See `SecondChance.begin`. */
  tryAgain(): void {
    this.#secondChance.begin();
    this.#stepWork = 0;
    this.#stepWholeWork = 0;
    this.#stepSeconds = 0;
    this.#noteChange();
  }

  finished(attempt: Attempt, completed: boolean, nowSeconds: number): void {
    this.#backlog.drop(attempt, nowSeconds);
    this.#inflight -= 1;
    this.#contextTokens -= attempt.promptTokens;
    const seconds = completed ? nowSeconds - attempt.sentSeconds : undefined;
    const released = uncachedTokensOf(attempt) + this.#idle.release(attempt);
    this.#memory.finished(released, seconds);
    if (completed) {
      const lost = released * (1 - lowerTierShare(this.#report));
      this.#idle.rest(lost, this.#cachedShare, nowSeconds);
    }
    this.#noteChange();
  }

  #noteChange(): void {
    const report = this.#report;
    const roomTokens = report ? this.#memory.roomTokens(report) : Number.NEGATIVE_INFINITY;
    this.row.note({
      freeAtSeconds: this.#backlog.freeAtSeconds,
      countsDownUntilSeconds: this.#backlog.countsDownUntilSeconds,
      foreignFreeAtSeconds: this.#foreign.freeAtSeconds,
      foreignKnownUntilSeconds: this.#foreign.knownUntilSeconds,
      queued: this.#backlog.length + this.#foreign.queued,
      inflight: this.#inflight + this.#foreign.inflight,
      contextReadSeconds: this.#contextReadSeconds,
      roomTokens,
      spareTokens: roomTokens - this.#idle.tokens,
    });
  }
}

/** Tokens that the attempt adds to the KV cache, without its output. */
function uncachedTokensOf(attempt: Attempt): number {
  return attempt.promptTokens - attempt.cachedTokens;
}

/**
 * Share of what the engine finds cached that comes from tiers below HBM, such as LMCache's host memory: there, a prefix that
 * HBM has lost costs a load and not a prefill. 0 without reports of it.
 */
function lowerTierShare(report: ReportedLoad | undefined): number {
  const { prefixCacheHits = 0, lowerTierHits = 0, lowerTierQueries = 0 } = report ?? {};
  // Before HBM has lost anything, a tier that is asked has nothing to give back.
  if (lowerTierHits === 0) return lowerTierQueries > 0 ? 1 : 0;
  return lowerTierHits / (prefixCacheHits + lowerTierHits);
}

/** Exponentially weighted mean. */
function meanWith(mean: number | undefined, value: number): number {
  return mean === undefined ? value : mean + (value - mean) * requestWeight;
}
