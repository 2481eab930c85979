import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changed,
  disaggregatedRun,
  engineResult,
  smallRun,
} from '../../../test/support/small-stack-run.ts';
import { handoffCharts, handoffJson, handoffLines, handoffReport } from './pool-report.ts';
import type { StackRun } from './stack.ts';

/** The disaggregated run with other transfers. */
function withHandoffs(handoffs: object): StackRun {
  return changed(disaggregatedRun, {
    handoffs: { ...disaggregatedRun.result.handoffs, ...handoffs },
  });
}

/** Rounds all figures of a report to nine digits. */
function rounded(value: unknown): unknown {
  const text = JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'number' ? Number(item.toPrecision(9)) : item,
  );
  return JSON.parse(text);
}

test('the report of a disaggregated run has the figures of each pool and of the transfers', () => {
  assert.deepEqual(rounded(handoffJson(disaggregatedRun)), {
    link: 'rdma-100g',
    link_gb_per_second: [10, 10, 5],
    link_latency_ms: 2,
    prefill_policy: 'roundrobin',
    decode_policy: 'leastloaded',
    kv_load_failure_policy: 'fail',
    pools: [
      {
        ...{ pool: 'prefill', engines: 1, gpus: 2, utilization: 0.5, preemptions: 1 },
        ...{ mean_waiting: 1, max_waiting: 2, mean_kv_usage: 0.4 },
        // 2,500 bytes written, of 1,000 a second for ten seconds.
        link_utilization: 0.25,
      },
      {
        ...{ pool: 'decode', engines: 2, gpus: 3, utilization: 0.3, preemptions: 2 },
        ...{ mean_waiting: 3, max_waiting: 5, mean_kv_usage: 0.55 },
        // 4,000 bytes read, of 1,000 a second; the second engine read nothing.
        link_utilization: 0.4,
      },
    ],
    transfers: 2,
    bytes: 12e9,
    mean_transfer_ms: 400,
    p50_transfer_ms: 400,
    p90_transfer_ms: 560,
    p99_transfer_ms: 596,
    mean_ttft_parts_ms: {
      prefill_and_its_queue: 600,
      way_to_decode_and_its_queue: 200,
      transfer: 400,
      first_step_and_way_back: 800,
    },
    lost: 1,
    skipped: 2,
  });
});

test('a run whose engines prefill and decode has no report of pools', () => {
  assert.equal(handoffReport(smallRun), undefined);
  assert.deepEqual(
    [handoffLines(smallRun), handoffCharts(smallRun), handoffJson(smallRun)],
    [[], [], null],
  );
});

test('a run without transfers has no transfer times', () => {
  const json = handoffJson(withHandoffs({ transferBytes: [-1, -1, -1, -1] })) ?? {};
  assert.deepEqual(
    [json['transfers'], json['bytes'], json['mean_transfer_ms'], json['p50_transfer_ms']],
    [0, 0, null, null],
  );
  assert.deepEqual([json['p90_transfer_ms'], json['p99_transfer_ms']], [null, null]);
  const parts = json['mean_ttft_parts_ms'] as Record<string, number>;
  assert.deepEqual(Object.values(parts), [0, 0, 0, 0]);
});

test('a request whose first token never arrived does not count as a transfer', () => {
  const last = withHandoffs({ transferBytes: [-1, -1, -1, 9e9] });
  assert.equal(handoffReport(last)?.transfers, 0);
});

test('a transfer may be empty and take no time', () => {
  const empty = changed(withHandoffs({ transferBytes: [0, -1, -1, -1] }), {
    ttftSeconds: [0, 1, 5, 1],
  });
  assert.equal(handoffReport(empty)?.transfers, 1);
});

test('a pool without waiting requests and tiers reports zeros', () => {
  const idle = changed(disaggregatedRun, {
    engines: ['prefill', 'decode', 'decode'].map((role) => engineResult({ role })),
    series: [{ atSeconds: 0, running: [0, 0, 0], waiting: [0, 0, 0], kvUsage: [0.25, 0, 0] }],
  });
  const [prefill] = handoffReport(idle)?.pools ?? [];
  assert.deepEqual(
    [prefill?.meanWaiting, prefill?.maxWaiting, prefill?.linkUtilization, prefill?.meanKvUsage],
    [0, 0, 0, 0.25],
  );
  const [none] = handoffReport(changed(idle, { series: [] }))?.pools ?? [];
  assert.deepEqual([none?.meanWaiting, none?.maxWaiting, none?.meanKvUsage], [0, 0, 0]);
});

test('the text has a line for each pool, the transfers, their share of the TTFT, and the rest', () => {
  assert.deepEqual(handoffLines(disaggregatedRun), [
    'prefill 1 engine, 2 GPUs, roundrobin: busy 50.0 %; waiting 1.0 on average, 2 at most; KV in use 40.0 %; links 25.0 %',
    'decode  2 engines, 3 GPUs, leastloaded: busy 30.0 %; waiting 3.0 on average, 5 at most; KV in use 55.0 %; links 40.0 %',
    'KV transferred: 2 prompts, 12.0 GB over rdma-100g (10.0, 5.0 GB/s per GPU); transfer mean 400, p50 400, p90 560, p99 596 ms',
    'mean TTFT in ms: prefill and its queue 600, way to decode and its queue 200, transfer 400, first step and way back 800',
    '2 requests had so few tokens to compute that decode engines prefilled them.',
    '1 prompt went down with the engine that stored them and failed.',
  ]);
});

test('text about transfers and lost prompts appears only where there are some', () => {
  const none = withHandoffs({ transferBytes: [-1, -1, -1, -1], lost: 0, skipped: 0 });
  assert.deepEqual(handoffLines(none).slice(2), [
    'KV transferred: 0 prompts, 0.00 GB over rdma-100g (10.0, 5.0 GB/s per GPU)',
  ]);
  const one = withHandoffs({ transferBytes: [4e9, -1, -1, -1], lost: 2, skipped: 1 });
  const recomputing = { ...one, pools: { ...one.pools, loadFailure: 'recompute' } } as StackRun;
  assert.deepEqual(handoffLines(recomputing).slice(2), [
    'KV transferred: 1 prompt, 4.00 GB over rdma-100g (10.0, 5.0 GB/s per GPU); transfer mean 600, p50 600, p90 600, p99 600 ms',
    'mean TTFT in ms: prefill and its queue 800, way to decode and its queue 300, transfer 600, first step and way back 1300',
    '1 request had so few tokens to compute that decode engines prefilled them.',
    '2 prompts went down with the engine that stored them and were recomputed by decode engines.',
  ]);
});

test('times below 100 ms have one decimal, and sizes below 10 GB have two', () => {
  const transferLine = (transferBytes: number, transferSeconds: number) =>
    handoffLines(
      withHandoffs({
        transferBytes: [transferBytes, -1, -1, -1],
        transferSeconds: [transferSeconds, 9, 9, 9],
      }),
    )[2] ?? '';
  assert.match(transferLine(9.99e9, 0.0999), / 9\.99 GB over .* mean 99\.9, p50 99\.9, /);
  assert.match(transferLine(10e9, 0.1), / 10\.0 GB over .* mean 100, p50 100, /);
});

test('a chart draws the waiting requests of each pool over time', () => {
  const [chart = ''] = handoffCharts(disaggregatedRun).map(String);
  assert.match(chart, /<figcaption>Waiting requests, by pool</);
  // The axis is at 256, and five requests are 228 above it.
  const requestsOf = [...chart.matchAll(/ points="([^"]+)"><title>(\w+)/g)].map(
    ([, points = '', name]) => [
      name,
      ...points.split(' ').map((point) => (256 - Number(point.split(',')[1])) / 45.6),
    ],
  );
  // Each value is drawn until the next: one point per corner.
  assert.deepEqual(rounded(requestsOf), [
    ['prefill', 0, 0, 2],
    ['decode', 5, 5, 1],
  ]);
});

test('a chart draws the parts of the mean TTFT', () => {
  const [, chart = ''] = handoffCharts(disaggregatedRun).map(String);
  assert.deepEqual(
    [...chart.matchAll(/<title>([^<]+)/g)].map(([, title]) => title),
    [
      'TTFT: prefill and its queue 600 ms',
      'TTFT: way to decode and its queue 200 ms',
      'TTFT: transfer 400 ms',
      'TTFT: first step and way back 800 ms',
    ],
  );
});
