// What the built-in scaler reads of a runtime: its engines' own metrics, and of routers what engines cannot know: the
// requests that wait for one, and the time to first token that clients get.
import {
  type MetricSample,
  metricSamples,
  metricSums,
  parseEngineReport,
} from '../../protocol/index.ts';
import type { FleetReading } from '../../scaler/index.ts';
import { CounterTotal } from './counter-total.ts';
import { type Bucket, DelayQuantile } from './delay-quantile.ts';

/** A pod, and its page of metrics; undefined if it did not respond. */
export interface MeteredPod {
  readonly uid: string;
  readonly url: string;
  readonly page: string | undefined;
}

export interface FleetPages {
  readonly nowSeconds: number;
  /** Name under which clients ask for the model. */
  readonly model: string;
  /** Engines that the runtime is to have. */
  readonly replicas: number;
  /** Engines that are ready. */
  readonly engines: readonly MeteredPod[];
  readonly routers: readonly MeteredPod[];
}

/** Share of the requests whose TTFT counts. */
const ttftShare = 0.9;
const queuedMetric = 'spillway_router_queued_requests';
const incomingMetric = 'vllm:num_incoming_requests_total';
const predictedMetric = 'spillway_router_first_byte_prediction_seconds_bucket';
const routerTtftMetric = 'spillway_router_time_to_first_token_seconds_bucket';
const engineTtftMetric = 'vllm:time_to_first_token_seconds_bucket';
const routerMetrics = new Set([queuedMetric, incomingMetric, predictedMetric, routerTtftMetric]);
const engineMetrics = new Set([engineTtftMetric]);

interface EnginePage {
  readonly finished: number;
  readonly prefilled: number;
  readonly prefillSeconds: number;
  readonly waiting: number;
  readonly running: number;
  readonly kvUsage: number;
  readonly ttft: readonly Bucket[];
}

/** Keeps what counters of pods were, so that it can tell what is new. */
export class FleetMeter {
  readonly #finished = new CounterTotal();
  readonly #prefilled = new CounterTotal();
  readonly #prefillSeconds = new CounterTotal();
  readonly #incoming = new CounterTotal();
  readonly #predicted = new DelayQuantile(ttftShare);
  readonly #routerTtft = new DelayQuantile(ttftShare);
  readonly #engineTtft = new DelayQuantile(ttftShare);
  #lastIncoming = 0;

  /** @returns Undefined if there are engines and none of them responded. */
  read({ nowSeconds, model, replicas, engines, routers }: FleetPages): FleetReading | undefined {
    const pages = new Map(
      engines.map(({ uid, page }) => [uid, page === undefined ? undefined : readEngine(page)]),
    );
    const read = [...pages.values()].filter((page) => page !== undefined);
    const ready = engines.length;
    if (ready > 0 && read.length === 0) return undefined;
    const urls = new Set(engines.map(({ url }) => url));
    const samples = new Map(
      routers.flatMap(({ uid, page }) =>
        page === undefined ? [] : [[uid, metricSamples(page, routerMetrics)] as const],
      ),
    );
    const ofModel =
      (name: string) =>
      ({ labels, ...sample }: MetricSample) =>
        sample.name === name && labels['model'] === model;
    const queued = sumOf([...samples.values()].flat().filter(ofModel(queuedMetric)));
    const incoming = this.#incoming.add(
      new Map(
        routers.map(({ uid }) => [
          uid,
          mapped(samples.get(uid), (all) => sumOf(all.filter(ofModel(incomingMetric)))),
        ]),
      ),
    );
    const came = incoming - this.#lastIncoming;
    this.#lastIncoming = incoming;
    const counted = (of: (page: EnginePage) => number) =>
      new Map(Array.from(pages, ([uid, page]) => [uid, mapped(page, of)] as const));
    // Those that did not respond are taken for engines like the others.
    const sum = (of: (page: EnginePage) => number) =>
      read.reduce((total, page) => total + of(page), 0) * (ready / Math.max(1, read.length));
    const buckets = (name: string) =>
      new Map(Array.from(samples, ([uid, all]) => [uid, bucketsOf(all, name, urls)] as const));
    const engineTtft = this.#engineTtft.add(
      new Map(
        Array.from(pages).flatMap(([uid, page]) => (page ? [[uid, page.ttft] as const] : [])),
      ),
    );
    const routerTtfts = [
      this.#predicted.add(buckets(predictedMetric)),
      this.#routerTtft.add(buckets(routerTtftMetric)),
    ].filter((seconds) => seconds !== undefined);
    const [waiting, running] = [sum((page) => page.waiting), sum((page) => page.running)];
    return {
      ...{ nowSeconds, ready, starting: Math.max(0, replicas - ready), waiting, running },
      // All that have ended, and all that have not.
      arrived: this.#finished.add(counted((page) => page.finished)) + running + waiting + queued,
      prefilled: this.#prefilled.add(counted((page) => page.prefilled)),
      prefillSeconds: this.#prefillSeconds.add(counted((page) => page.prefillSeconds)),
      kvUsage: sum((page) => page.kvUsage) / Math.max(1, ready),
      // A router that does not hold requests counts them nevertheless: without engines, each asks for one.
      held: ready > 0 ? queued : Math.max(queued, came),
      ttftSeconds: routerTtfts.length > 0 ? Math.max(...routerTtfts) : engineTtft,
    };
  }
}

function readEngine(page: string): EnginePage {
  const { running = 0, waiting = 0, kvUsage = 0 } = parseEngineReport(page);
  const sums = metricSums(page);
  const of = (name: string) => sums.get(`vllm:${name}`) ?? 0;
  return {
    finished: of('request_success_total'),
    prefilled: of('request_prefill_time_seconds_count'),
    prefillSeconds: of('request_prefill_time_seconds_sum'),
    ...{ waiting, running, kvUsage },
    ttft: bucketsOf(metricSamples(page, engineMetrics), engineTtftMetric, undefined),
  };
}

/** @param servers URLs of the engines that count; undefined for all. */
function bucketsOf(
  samples: readonly MetricSample[],
  name: string,
  servers: ReadonlySet<string> | undefined,
): readonly Bucket[] {
  return samples
    .filter((sample) => sample.name === name)
    .filter(({ labels }) => servers === undefined || servers.has(labels['server'] ?? ''))
    .filter(({ labels }) => (labels['value'] ?? 'predicted') === 'predicted')
    .map(({ labels, value }) => ({ bound: boundOf(labels['le'] ?? ''), count: value }))
    .filter(({ bound }) => !Number.isNaN(bound));
}

function boundOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number.parseFloat(text);
}

function mapped<T, R>(value: T | undefined, map: (value: T) => R): R | undefined {
  return value === undefined ? undefined : map(value);
}

function sumOf(samples: readonly MetricSample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0);
}
