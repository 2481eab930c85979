// Latencies of the last minutes by engine and model, from which the page and `spillway up` get percentiles.
import { type LogBuckets, LogHistogram, SlidingHistogram } from '../../../core/base/index.ts';
import type { LatenciesView, QuantilesView } from '../../../core/views/index.ts';

/** Window of the percentiles: five slices of a minute, so the last four to five minutes. */
const sliceSeconds = 60;
const slices = 5;
export const latencyWindowSeconds = sliceSeconds * slices;
/** The same for the points of the history: the last minute. */
const recentSliceSeconds = 5;
const recentSlices = 12;
/** 1 ms to 35 minutes. */
const latencyBuckets: LogBuckets = { min: 0.001, octaves: 21 };
/** 0.1 ms to 105 s. */
const tokenBuckets: LogBuckets = { min: 0.0001, octaves: 20 };
/**
 * Maximum number of pairs of an engine and a model with their own windows, 12 KB each; further pairs share
 * one, which counts in the figures of the whole fleet only.
 */
const pairsMax = 1_024;

/**
 * Values wait in a buffer until it is full or figures are read: a request then touches one buffer instead of
 * a dozen arrays, which costs a third.
 */
const pendingMax = 1_024;

const kinds = ['ttft', 'tpot', 'e2e'] as const;
export type LatencyKind = (typeof kinds)[number];
type Windows = Readonly<Record<LatencyKind, SlidingHistogram>>;
type Histograms = Readonly<Record<LatencyKind, LogHistogram>>;

/** Values that are not counted in their windows yet. */
class PendingValues {
  readonly #recent: Windows;
  readonly #windows: Windows[] = [];
  readonly #kinds: LatencyKind[] = [];
  readonly #seconds = new Float64Array(pendingMax);
  readonly #atSeconds = new Float64Array(pendingMax);
  #length = 0;

  /** @param recent Every value counts there, too. */
  constructor(recent: Windows) {
    this.#recent = recent;
  }

  add(windows: Windows, kind: LatencyKind, seconds: number, atSeconds: number): void {
    const i = this.#length++;
    this.#windows[i] = windows;
    this.#kinds[i] = kind;
    this.#seconds[i] = seconds;
    this.#atSeconds[i] = atSeconds;
    if (this.#length === pendingMax) this.flush();
  }

  flush(): void {
    for (let i = 0; i < this.#length; i++) {
      const kind = this.#kinds[i] as LatencyKind;
      const at = this.#atSeconds[i] as number;
      const own = (this.#windows[i] as Windows)[kind];
      const bucket = own.bucketOf(this.#seconds[i] as number);
      own.addTo(bucket, at);
      this.#recent[kind].addTo(bucket, at);
    }
    this.#length = 0;
  }
}

/** Of an engine that has served nothing yet. */
const noLatencies: LatenciesView = eachKind(() => null);

/** Counts the latencies of one engine and model. */
export class LatencyRecorder {
  readonly #own: Windows;
  readonly #pending: PendingValues;

  constructor(own: Windows, pending: PendingValues) {
    this.#own = own;
    this.#pending = pending;
  }

  add(kind: LatencyKind, seconds: number, nowSeconds: number): void {
    this.#pending.add(this.#own, kind, seconds, nowSeconds);
  }
}

export class LatencyWindows {
  /** Engine URL to model to windows. */
  readonly #engines = new Map<string, Map<string, Windows>>();
  #pairs = 0;
  readonly #overflow = windows(sliceSeconds, slices);
  readonly #recent = windows(recentSliceSeconds, recentSlices);
  readonly #pending = new PendingValues(this.#recent);

  recorder(url: string, model: string): LatencyRecorder {
    let models = this.#engines.get(url);
    let own = models?.get(model);
    if (own === undefined) {
      if (this.#pairs >= pairsMax) return new LatencyRecorder(this.#overflow, this.#pending);
      own = windows(sliceSeconds, slices);
      this.#pairs++;
      if (models === undefined) {
        models = new Map();
        this.#engines.set(url, models);
      }
      models.set(model, own);
    }
    return new LatencyRecorder(own, this.#pending);
  }

  removeEngine(url: string): void {
    this.#pairs -= this.#engines.get(url)?.size ?? 0;
    this.#engines.delete(url);
  }

  engine(url: string, nowSeconds: number): LatenciesView {
    this.#pending.flush();
    const models = this.#engines.get(url);
    return models === undefined ? noLatencies : viewOf(merged([...models.values()], nowSeconds));
  }

  all(nowSeconds: number): LatenciesView {
    this.#pending.flush();
    const every = [...this.#engines.values()].flatMap((models) => [...models.values()]);
    return viewOf(merged([...every, this.#overflow], nowSeconds));
  }

  /** Each model with its latencies, the one with the most requests first. */
  models(nowSeconds: number): ({ readonly model: string } & LatenciesView)[] {
    this.#pending.flush();
    const byModel = new Map<string, Windows[]>();
    for (const models of this.#engines.values()) {
      for (const [model, own] of models) {
        const list = byModel.get(model);
        if (list === undefined) byModel.set(model, [own]);
        else list.push(own);
      }
    }
    return Array.from(byModel, ([model, list]) => {
      return { model, ...viewOf(merged(list, nowSeconds)) };
    })
      .filter(({ ttft, tpot, e2e }) => ttft !== null || tpot !== null || e2e !== null)
      .sort((a, b) => requestsOf(b) - requestsOf(a));
  }

  /** Latencies of the last minute over all engines and models. */
  recent(nowSeconds: number): LatenciesView {
    this.#pending.flush();
    return viewOf(merged([this.#recent], nowSeconds));
  }
}

function requestsOf({ ttft, e2e }: LatenciesView): number {
  return Math.max(ttft?.count ?? 0, e2e?.count ?? 0);
}

function bucketsOf(kind: LatencyKind): LogBuckets {
  return kind === 'tpot' ? tokenBuckets : latencyBuckets;
}

function eachKind<T>(create: (kind: LatencyKind) => T): Readonly<Record<LatencyKind, T>> {
  return { ttft: create('ttft'), tpot: create('tpot'), e2e: create('e2e') };
}

function windows(seconds: number, count: number): Windows {
  return eachKind(
    (kind) =>
      new SlidingHistogram({ buckets: bucketsOf(kind), sliceSeconds: seconds, slices: count }),
  );
}

/** The histograms of all windows together; valid until the next value. */
function merged(list: readonly Windows[], nowSeconds: number): Histograms {
  const [first, second] = list;
  // Most engines serve one model, so this saves most of the work for a large fleet.
  if (first !== undefined && second === undefined)
    return eachKind((kind) => first[kind].at(nowSeconds));
  const sum = eachKind((kind) => new LogHistogram(bucketsOf(kind)));
  for (const one of list) for (const kind of kinds) sum[kind].merge(one[kind].at(nowSeconds));
  return sum;
}

function viewOf(histograms: Histograms): LatenciesView {
  return eachKind((kind) => quantilesOf(histograms[kind]));
}

function quantilesOf(histogram: LogHistogram): QuantilesView | null {
  if (histogram.count === 0) return null;
  const at = (share: number) => rounded(histogram.quantile(share) as number);
  return { count: histogram.count, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

/** Four digits: the buckets are coarser. */
function rounded(seconds: number): number {
  return Number(seconds.toPrecision(4));
}
