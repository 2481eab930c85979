// A soak in windows of equal length: each is summarised when it is over, so that a day takes no more memory than an hour.
import {
  latenciesOf,
  meets,
  percentile,
  type RequestRecord,
  type ServiceLevel,
  samplesNeeded,
} from '../../core/stats/index.ts';

/** The responses that ended in one window. */
export interface SoakWindow {
  /** Start, seconds since that of the soak. */
  readonly startSeconds: number;
  readonly completed: number;
  readonly failed: number;
  readonly outputTokens: number;
  /** Of the complete responses, milliseconds; undefined if there were too few. */
  readonly ttftP50Ms: number | undefined;
  readonly ttftP99Ms: number | undefined;
  readonly tpotP50Ms: number | undefined;
  readonly e2eP50Ms: number | undefined;
  /** Responses within the service level; undefined without one. */
  readonly good: number | undefined;
  /** Resident memory of the server at the end of the window; undefined if it does not report it. */
  readonly serverBytes: number | undefined;
}

/** Adds responses to the current window. */
export class SoakWindows {
  readonly #limits: ServiceLevel | undefined;
  readonly #ttft: number[] = [];
  readonly #tpot: number[] = [];
  readonly #e2e: number[] = [];
  #failed = 0;
  #good = 0;
  #outputTokens = 0;
  #startSeconds = 0;
  readonly #errors = new Map<string, number>();
  readonly #windows: SoakWindow[] = [];

  /** @param limits Counts good responses. */
  constructor(limits: ServiceLevel | undefined) {
    this.#limits = limits;
  }

  get windows(): readonly SoakWindow[] {
    return this.#windows;
  }

  /** Number of failed requests by kind. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  add(record: RequestRecord): void {
    if (record.error !== undefined) {
      this.#failed++;
      const { kind } = record.error;
      this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1);
      return;
    }
    const latencies = latenciesOf(record);
    this.#ttft.push(latencies.ttftSeconds);
    this.#e2e.push(latencies.e2eSeconds);
    if (latencies.tpotSeconds !== undefined) this.#tpot.push(latencies.tpotSeconds);
    if (this.#limits !== undefined && meets(this.#limits, latencies)) this.#good++;
    this.#outputTokens += record.outputTokens;
  }

  /** Ends the current window. @param endSeconds Start of the next. */
  close(endSeconds: number, serverBytes: number | undefined): SoakWindow {
    const window = {
      startSeconds: this.#startSeconds,
      completed: this.#e2e.length,
      failed: this.#failed,
      outputTokens: this.#outputTokens,
      ttftP50Ms: percentileMs(this.#ttft, 50),
      ttftP99Ms: percentileMs(this.#ttft, 99),
      tpotP50Ms: percentileMs(this.#tpot, 50),
      e2eP50Ms: percentileMs(this.#e2e, 50),
      good: this.#limits === undefined ? undefined : this.#good,
      serverBytes,
    };
    this.#windows.push(window);
    for (const values of [this.#ttft, this.#tpot, this.#e2e]) values.length = 0;
    [this.#failed, this.#good, this.#outputTokens] = [0, 0, 0];
    this.#startSeconds = endSeconds;
    return window;
  }
}

/** Undefined for a sample that is too small. */
function percentileMs(seconds: readonly number[], q: number): number | undefined {
  if (seconds.length < samplesNeeded(q)) return undefined;
  return 1000 * percentile(Float64Array.from(seconds).sort(), q);
}
