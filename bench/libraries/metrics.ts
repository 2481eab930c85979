// Measures counting and printing metrics: `core/metrics` compared with prom-client, with the
// families and series of a router in front of a hundred engines.
import { MetricsRegistry } from '../../src/core/metrics/index.ts';
import type { Pair } from './pairs.ts';

/** The part of prom-client that is used. */
interface PromClient {
  readonly Registry: new () => { metrics(): Promise<string> };
  readonly Counter: new (options: object) => Labelled<{ inc(value?: number): void }>;
  readonly Histogram: new (options: object) => Labelled<{ observe(value: number): void }>;
}

interface Labelled<S> {
  labels(labels: Readonly<Record<string, string>>): S;
}

const engines = Array.from({ length: 100 }, (_, i) => `http://engine-${i}:8000`);
const statuses = ['200', '400', '503'];
const outcomes = ['completed', 'cancelled', 'failed'];
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240, 480];
/** Increments per call, so that the call itself does not count. */
const batch = 100;

export function metricsPairs(client: PromClient): readonly Pair[] {
  const [own, their] = [ownPage(), theirPage(client)];
  const model = { server: engines[7] as string, model: 'm' };
  const labels = { ...model, status: '200' };
  const [kept, theirKept] = [own.latency.with(labels), their.latency.labels(labels)];
  const [counter, theirCounter] = [own.tokens.with(model), their.tokens.labels(model)];
  const many = (once: () => void) => () => {
    for (let i = 0; i < batch; i++) once();
  };
  return [
    {
      what: `${batch} increments of a counter that is held in a variable`,
      ours: many(() => counter.inc(3)),
      theirs: many(() => theirCounter.inc(3)),
    },
    {
      what: `${batch} increments of a counter found by its labels`,
      ours: many(() => own.tokens.with(model).inc(3)),
      theirs: many(() => their.tokens.labels(model).inc(3)),
    },
    {
      what: `${batch} observations of a histogram that is held in a variable`,
      ours: many(() => kept.observe(0.3)),
      theirs: many(() => theirKept.observe(0.3)),
    },
    {
      what: `${batch} observations of a histogram found by its labels`,
      ours: many(() => own.latency.with(labels).observe(0.3)),
      theirs: many(() => their.latency.labels(labels).observe(0.3)),
    },
    {
      what: `the page of ${engines.length} engines, ${own.render().split('\n').length} lines`,
      ours: () => own.render(),
      theirs: () => their.render(),
    },
  ];
}

function ownPage() {
  const registry = new MetricsRegistry();
  const tokens = registry.counter({ name: 'tokens', help: 'Tokens.', labels: ['server', 'model'] });
  const requests = registry.counter({
    ...{ name: 'requests', help: 'Requests.', labels: ['server', 'outcome'] },
  });
  const latency = registry.histogram({
    ...{ name: 'latency_seconds', help: 'Latency.', labels: ['server', 'model', 'status'], bounds },
  });
  for (const server of engines) {
    tokens.with({ server, model: 'm' }).inc(1);
    for (const outcome of outcomes) requests.with({ server, outcome }).inc();
    for (const status of statuses) latency.with({ server, model: 'm', status }).observe(0.2);
  }
  return { tokens, latency, render: () => registry.render() };
}

function theirPage({ Registry, Counter, Histogram }: PromClient) {
  const registry = new Registry();
  const registers = [registry];
  const tokens = new Counter({
    ...{ name: 'tokens_total', help: 'Tokens.', labelNames: ['server', 'model'], registers },
  });
  const requests = new Counter({
    ...{ name: 'requests_total', help: 'Requests.', labelNames: ['server', 'outcome'], registers },
  });
  const labelNames = ['server', 'model', 'status'];
  const latency = new Histogram({
    ...{ name: 'latency_seconds', help: 'Latency.', labelNames, buckets: bounds, registers },
  });
  for (const server of engines) {
    tokens.labels({ server, model: 'm' }).inc(1);
    for (const outcome of outcomes) requests.labels({ server, outcome }).inc();
    for (const status of statuses) latency.labels({ server, model: 'm', status }).observe(0.2);
  }
  return { tokens, latency, render: () => registry.metrics() };
}
