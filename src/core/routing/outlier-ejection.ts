// Takes engines that fail out of routing for a while: an engine that fails fast is the least loaded one,
// and would draw the traffic to itself. The terms are Envoy's (outlier detection).
import type { EndpointRecord } from './endpoint-record.ts';

/** Failures in a row that eject an engine; Envoy's default for consecutive 5xx. */
const failuresInARow = 5;
/** Share of failed attempts that ejects an engine, over about the last `shareAttempts`. */
const failedShare = 0.5;
const shareAttempts = 20;
/** Fewer attempts than this say nothing about a share. */
const shareAttemptsMin = 10;
/**
 * First pause, doubled with each further one up to the longest. Envoy begins with 30 s and has no
 * trials; a trial of one request makes short pauses safe.
 */
const firstPauseSeconds = 1;
const longestPauseSeconds = 30;
/** An engine that has served for so long begins with the first pause again. */
const forgiveAfterSeconds = 60;
/** Trial requests in a row, one at a time, that must succeed before an engine takes its share again. */
const trialsNeeded = 3;
/** At most this share of a model's engines is out: beyond it the cause is not the engine. */
const ejectedShareMax = 0.5;

/**
 * How long a peer's failure there makes retries avoid an engine. It never ejects one: the way from that router to the engine
 * may be what fails.
 */
const suspicionSeconds = 10;

interface Trouble {
  /** In a row. */
  failures: number;
  /** All of them. */
  total: number;
  /** Moving average of failed attempts. */
  share: number;
  attempts: number;
  /** Undefined while the engine takes its share. */
  untilSeconds: number | undefined;
  pauses: number;
  trials: number;
  isOnTrial: boolean;
  readmittedSeconds: number;
}

export class OutlierEjection {
  /** Engines that have failed recently. */
  readonly #troubles = new Map<EndpointRecord, Trouble>();
  /** Engines that failed at a peer recently, and when; at most all engines. */
  readonly #suspected = new Map<EndpointRecord, number>();
  #ejected = 0;
  readonly #readmitted: ((record: EndpointRecord, nowSeconds: number) => void) | undefined;

  /** @param readmitted Called when an engine takes its share again. */
  constructor(readmitted?: (record: EndpointRecord, nowSeconds: number) => void) {
    this.#readmitted = readmitted;
  }

  /**
   * The candidates without those that are ejected. One whose pause is over is the only candidate: the
   * request is its trial.
   *
   * @param mayTry Whether this request may be a trial. A retry may not, and avoids engines whose last response
   *   failed, here or at a peer: it has only a few attempts.
   */
  admitted(
    candidates: readonly EndpointRecord[],
    nowSeconds: number,
    mayTry: boolean,
  ): readonly EndpointRecord[] {
    if (!mayTry && this.#troubles.size + this.#suspected.size > 0) {
      const sound = candidates.filter(
        (one) =>
          !this.isEjected(one) && !this.#hasFailed(one) && !this.#isSuspected(one, nowSeconds),
      );
      if (sound.length > 0) return sound;
    }
    if (this.#ejected === 0) return candidates;
    const admitted: EndpointRecord[] = [];
    for (const candidate of candidates) {
      const until = this.#troubles.get(candidate)?.untilSeconds;
      if (until === undefined) admitted.push(candidate);
      else if (mayTry && nowSeconds >= until && !this.#troubles.get(candidate)?.isOnTrial) {
        return [candidate];
      }
    }
    return admitted.length > 0 ? admitted : candidates;
  }

  /** The engine was picked. @returns Whether the attempt is its trial. */
  picked(record: EndpointRecord, nowSeconds: number): boolean {
    const trouble = this.#troubles.get(record);
    if (trouble?.untilSeconds === undefined || trouble.isOnTrial) return false;
    if (nowSeconds < trouble.untilSeconds) return false;
    trouble.isOnTrial = true;
    return true;
  }

  /** Number of failures that are remembered of an engine: `succeeded` needs it as it was when the request was sent. */
  failuresOf(record: EndpointRecord): number {
    return this.#troubles.get(record)?.total ?? 0;
  }

  /**
   * A response that is no error is complete, or has come so far that the engine works. If the engine has failed since the
   * request was sent, that says nothing about it now.
   */
  succeeded(
    record: EndpointRecord,
    {
      isTrial,
      failuresBefore,
      sentAtSeconds,
    }: {
      readonly isTrial: boolean;
      readonly failuresBefore: number;
      readonly sentAtSeconds: number;
    },
    nowSeconds: number,
  ): void {
    this.succeededElsewhere(record, sentAtSeconds);
    const trouble = this.#troubles.get(record);
    if (trouble === undefined) return;
    if (!isTrial && trouble.total !== failuresBefore) return;
    if (trouble.untilSeconds === undefined) {
      trouble.failures = 0;
      count(trouble, 0);
      const isForgiven = nowSeconds - trouble.readmittedSeconds >= forgiveAfterSeconds;
      if (isForgiven && trouble.share < 1 / shareAttempts) this.#troubles.delete(record);
      return;
    }
    if (!isTrial) return;
    trouble.isOnTrial = false;
    trouble.trials++;
    if (trouble.trials < trialsNeeded) return;
    this.#ejected--;
    Object.assign(trouble, { failures: 0, share: 0, attempts: 0, untilSeconds: undefined });
    trouble.readmittedSeconds = nowSeconds;
    record.reason = 'healthy';
    this.#readmitted?.(record, nowSeconds);
  }

  /**
   * An attempt failed there.
   *
   * @param countsAs `broken off`: after it had counted as a success, which is made up for.
   * @param candidates The live engines of its model.
   */
  failed(
    record: EndpointRecord,
    {
      isTrial,
      countsAs,
    }: { readonly isTrial: boolean; readonly countsAs: 'failed' | 'broken off' },
    candidates: readonly EndpointRecord[],
    nowSeconds: number,
  ): void {
    const trouble = this.#troubleOf(record, nowSeconds);
    trouble.failures++;
    trouble.total++;
    count(trouble, 1);
    if (countsAs === 'broken off') count(trouble, 1);
    if (trouble.untilSeconds !== undefined) {
      if (isTrial) this.#pause(record, trouble, nowSeconds, 'its trial request failed');
      return;
    }
    const { failures, share, attempts } = trouble;
    const isShareHigh = attempts >= shareAttemptsMin && share >= failedShare;
    if (failures < failuresInARow && !isShareHigh) return;
    const why =
      failures >= failuresInARow
        ? `${failures} failures in a row`
        : `${Math.round(share * 100)} % of its last requests failed`;
    this.eject(record, candidates, nowSeconds, why);
  }

  /**
   * Takes an engine out of routing for a while, unless too many of them are out.
   *
   * @param candidates The live engines of its model. @param why In plain words.
   */
  eject(
    record: EndpointRecord,
    candidates: readonly EndpointRecord[],
    nowSeconds: number,
    why: string,
  ): void {
    const trouble = this.#troubleOf(record, nowSeconds);
    if (trouble.untilSeconds !== undefined) return;
    const out = candidates.filter((one) => this.isEjected(one)).length;
    if (out + 1 > candidates.length * ejectedShareMax) return;
    if (nowSeconds - trouble.readmittedSeconds >= forgiveAfterSeconds) trouble.pauses = 0;
    this.#ejected++;
    this.#pause(record, trouble, nowSeconds, why);
  }

  /** The engine failed a request of a peer. */
  failedElsewhere(record: EndpointRecord, nowSeconds: number): void {
    this.#suspected.set(record, nowSeconds);
  }

  /** The engine has responded to a request that was sent then. */
  succeededElsewhere(record: EndpointRecord, sentSeconds: number): void {
    const failedSeconds = this.#suspected.get(record);
    if (failedSeconds !== undefined && sentSeconds > failedSeconds) this.#suspected.delete(record);
  }

  /** A trial ended without a verdict: its client left. */
  undecided(record: EndpointRecord): void {
    const trouble = this.#troubles.get(record);
    if (trouble !== undefined) trouble.isOnTrial = false;
  }

  isEjected(record: EndpointRecord): boolean {
    return this.#troubles.get(record)?.untilSeconds !== undefined;
  }

  /** Whether its last response failed. */
  #hasFailed(record: EndpointRecord): boolean {
    return (this.#troubles.get(record)?.failures ?? 0) > 0;
  }

  /** Whether it has failed at a peer lately. */
  #isSuspected(record: EndpointRecord, nowSeconds: number): boolean {
    const failedSeconds = this.#suspected.get(record);
    if (failedSeconds === undefined) return false;
    if (nowSeconds - failedSeconds <= suspicionSeconds) return true;
    this.#suspected.delete(record);
    return false;
  }

  /** The engine restarted or was removed: it begins anew. */
  forget(record: EndpointRecord): void {
    if (this.isEjected(record)) this.#ejected--;
    this.#troubles.delete(record);
    this.#suspected.delete(record);
  }

  #troubleOf(record: EndpointRecord, nowSeconds: number): Trouble {
    let trouble = this.#troubles.get(record);
    if (trouble === undefined) {
      trouble = {
        ...{
          failures: 0,
          total: 0,
          share: 0,
          attempts: 0,
          untilSeconds: undefined,
          pauses: 0,
          trials: 0,
        },
        ...{ isOnTrial: false, readmittedSeconds: nowSeconds },
      };
      this.#troubles.set(record, trouble);
    }
    return trouble;
  }

  #pause(record: EndpointRecord, trouble: Trouble, nowSeconds: number, why: string): void {
    const seconds = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** trouble.pauses);
    trouble.pauses++;
    trouble.trials = 0;
    trouble.isOnTrial = false;
    trouble.untilSeconds = nowSeconds + seconds;
    record.reason = `ejected for ${seconds} s: ${why}`;
  }
}

/** Adds an attempt to the moving average. @param failed 1 or 0. */
function count(trouble: Trouble, failed: number): void {
  trouble.attempts++;
  // The first attempts are averaged evenly.
  trouble.share += (failed - trouble.share) / Math.min(trouble.attempts, shareAttempts);
}
