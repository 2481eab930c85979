import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changed,
  disaggregatedRun,
  smallRun,
  stackEngine,
} from '../../../test/support/small-stack-run.ts';
import { version } from '../../core/base/index.ts';
import type { StackRun } from './stack.ts';
import { stackPage } from './stack-page.ts';

/** The texts of a piece of the page in order, without those of marks that repeat each other. */
function textsOf(html: string): string[] {
  const texts = html
    .replace(/<\/?(b|span)\b[^>]*>/g, ' ')
    .split(/<[^>]*>|\n/)
    .map((text) =>
      text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replace(/\s+/g, ' ').trim(),
    );
  return texts.filter((text) => text !== '');
}

/** The page as its reader sees it: texts before, in and after the charts. */
function readerView(run: StackRun) {
  const page = stackPage(run, 'simulate <x>');
  const body = page.slice(page.indexOf('<main>'));
  const [head = '', ...figures] = body.split('<figure>');
  const [lastFigure = '', tail = ''] = (figures.pop() ?? '').split('</section>');
  return {
    head: textsOf(head),
    charts: [...figures, lastFigure].map((figure) => textsOf(figure).join(' | ')),
    tail: textsOf(tail),
  };
}

/** The curves of a chart by name, as shares of the height and of the width of its axes. */
function curvesOf(run: StackRun, title: string) {
  const [, figure = ''] = stackPage(run, '').split(`<figcaption>${title}`);
  const [chart = ''] = figure.split('</figure>');
  const [, left, top, bottom, right] =
    /class="axis" d="M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)"/.exec(chart)?.map(Number) ?? [];
  assert.ok(left && top && bottom && right);
  const share = (value: number) => Math.round(value * 100) / 100;
  return [...chart.matchAll(/ points="([^"]+)"><title>([^<]+)/g)].map(([, points = '', name]) => [
    name,
    ...points.split(' ').map((point) => {
      const [x = 0, y = 0] = point.split(',').map(Number);
      return [share((x - left) / (right - left)), share((bottom - y) / (bottom - top))];
    }),
  ]);
}

test('the page starts with the stack, the verdict, what a reader must not overlook, and the totals', () => {
  assert.deepEqual(readerView(smallRun).head, [
    'spillway simulate',
    '2 × (2 × H100), m<1>, KV cache 5,000 tokens; no offload',
    'STABLE : engines busy 50.0 % of the time, queue grows by 1.0 % of the arrivals',
    '1 request was lost with an engine, 3 were retried on another.',
    'a note',
    '1,500 ms mean TTFT',
    '– mean TPOT',
    '1,500 ms mean E2E',
    '10 output tok/s',
    '100 total tok/s',
    '50.0 % prompt tokens found in caches',
  ]);
});

test('the page has charts of latencies, queues, caches and the share of each engine', () => {
  assert.deepEqual(readerView(smallRun).charts, [
    'Latency: cumulative share of requests | TTFT | TPOT | E2E | 0 % | 20 % | 40 % | 60 % | 80 % | 100 % | 0.1 | 0.2 | 0.5 | 1 | 2 | 5 | 10 | TTFT | TPOT | E2E | seconds (logarithmic) | share of the requests',
    'Requests in the engines | running | waiting | 0 | 1 | 2 | 3 | 4 | 0 | 1 | 2 | 3 | 4 | 5 | running | waiting | seconds | requests',
    'KV cache in use | mean of the engines | fullest | emptiest | 0 % | 20 % | 40 % | 60 % | 80 % | 100 % | 0 | 1 | 2 | 3 | 4 | 5 | mean of the engines | fullest | emptiest | seconds | share of the blocks',
    'Prompt tokens by engine and source | 0 | 200 | 400 | 600 | 800 | a: computed 600 prompt tokens | a: HBM hit 200 prompt tokens | a: tier hit 100 prompt tokens | a | b: computed 600 prompt tokens | b: HBM hit 200 prompt tokens | b: tier hit 100 prompt tokens | b | prompt tokens | computed | HBM hit | tier hit',
    'Requests by engine | 0 | 1 | 2 | 3 | a: requests 2 requests | a | b: requests 3 requests | b | requests | requests',
    'Share of prompt tokens found in caches | 0 | 20 | 40 | 60 | found: HBM 30 % of the prompt tokens | found: tiers below 20 % of the prompt tokens | found | unlimited cache: HBM 75 % of the prompt tokens | unlimited cache | % of the prompt tokens | HBM | tiers below',
  ]);
});

test('the page ends with tables of latencies and engines, the workload, and how it was made', () => {
  assert.deepEqual(readerView(smallRun).tail, [
    ...['Latencies', 'ms', 'mean', 'median', 'p90'],
    ...['TTFT', '1500.0', '20.0', '30.0', 'TPOT', '–', '–', 'ITL', '–', '–'],
    ...['E2EL', '1500.0', '20.0', '30.0'],
    ...['Engines', 'requests', 'computed', 'HBM hits', 'tier hits', 'output', 'preempted', 'busy'],
    ...['a', '2', '600', '200', '100', '50', '1', '50.0 %'],
    ...['b', '3', '600', '200', '100', '50', '1', '50.0 %'],
    'Workload',
    'roundrobin: hit rate 50.0 %, of which 20.0 % from tiers; max/mean computed 1.25',
    'workload: 400 requests of 40 sessions, 3.90/s, gap CV 1.10',
    'prompt tokens mean 100, p50 90, p90 180, p99 1,990, max 2,500',
    'output tokens mean 100, p50 90, p90 180, p99 1,990, max 2,500',
    '75.0 % of prompt tokens appeared in earlier requests; working set 12,345 tokens',
    'Virtual time; the same input and seed give the same page. The error of the engine model is in docs/models/engine-model.md.',
    'simulate <x>',
    `Spillway ${version}`,
  ]);
});

test('the page of a disaggregated run has its pools and transfers in place of tier hits', () => {
  const { charts, tail } = readerView(disaggregatedRun);
  assert.deepEqual(
    charts.map((chart) => chart.split(' | ')[0]),
    [
      ...['Latency: cumulative share of requests', 'Requests in the engines', 'KV cache in use'],
      ...['Prompt tokens by engine and source', 'Requests by engine'],
      ...['Waiting requests, by pool', 'Mean TTFT of requests with a KV transfer'],
    ],
  );
  assert.ok(charts[3]?.endsWith('| KV read'), charts[3]);
  assert.ok(tail.includes('KV read') && !tail.includes('tier hits'));
  const pools = tail.indexOf('Disaggregated prefill and decode');
  assert.match(tail[pools + 1] ?? '', /^prefill 1 engine, 2 GPUs/);
  assert.ok(!readerView(smallRun).tail.includes('Disaggregated prefill and decode'));
});

test('the latency chart draws the share of the requests over sorted latencies', () => {
  // From 0.1 s to 10 s, logarithmic; a response with one token has no time per output token.
  assert.deepEqual(curvesOf(smallRun, 'Latency'), [
    ['TTFT', [0, 0.33], [0.5, 0.67], [1, 1]],
    ['TPOT', [0.15, 0.5], [0.74, 1]],
    ['E2E', [0.35, 0.33], [0.8, 0.67], [1, 1]],
  ]);
});

test('the page draws queues and caches over time', () => {
  assert.deepEqual(curvesOf(smallRun, 'Requests in the engines'), [
    ['running', [0, 0.75], [1, 0.75], [1, 1]],
    ['waiting', [0, 1], [1, 1], [1, 0.5]],
  ]);
  assert.deepEqual(curvesOf(smallRun, 'KV cache in use'), [
    ['mean of the engines', [0, 0.3], [1, 0.7]],
    ['fullest', [0, 0.4], [1, 0.8]],
    ['emptiest', [0, 0.2], [1, 0.6]],
  ]);
});

test('the page escapes what comes from outside, and shows the verdict in its colour', () => {
  const page = stackPage(smallRun, 'simulate <x>');
  assert.ok(!page.includes('m<1>') && !page.includes('<x>'));
  assert.match(page, /<title>Simulation: m&lt;1&gt;<\/title>/);
  assert.match(page, /class="verdict good"><b>STABLE<\/b>/);
  const overloaded = stackPage({ ...smallRun, verdict: 'OVERLOADED' }, '');
  assert.match(overloaded, /class="verdict bad"><b>OVERLOADED/);
});

test('a list of warnings appears only if there are some', () => {
  const calm = changed(smallRun, { retries: 0, failed: [] });
  assert.ok(stackPage(calm, '').includes('<ul class="notes"><li>a note</li></ul>'));
  assert.ok(!stackPage({ ...calm, notes: [] }, '').includes('class="notes"'));
});

test('the printed page shrinks with its content, so that one sheet holds it', () => {
  const heightOf = (run: StackRun) =>
    277 / Number(/body\{zoom:([\d.]+)/.exec(stackPage(run, ''))?.[1] ?? Number.NaN);
  /** A run whose page has as many more lines. */
  const longer = (run: StackRun, lines: number) => ({
    ...run,
    notes: [...run.notes, ...Array.from({ length: lines }, () => 'a note')],
  });
  const near = (run: StackRun, millimetres: number) => {
    const height = heightOf(run);
    assert.ok(Math.abs(height / millimetres - 1) < 0.001, `${height} mm, not ${millimetres}`);
  };
  assert.equal(heightOf(smallRun), 277, 'a page that fits is not enlarged');
  // The head and the tiles 85 mm, two rows of charts 84, two engines 6.8; two warnings, four lines
  // about the workload and one about the policy 25.2, and 40 more lines 144.
  near(longer(smallRun, 40), 345);
  // Three rows of charts and three engines; six lines about the pools, one more about the engines.
  near(longer(disaggregatedRun, 40), 345 + 42 + 3.4 + 7 * 3.6);
  const engines = Array.from({ length: 60 }, (_, i) => stackEngine(`e${i}`));
  near({ ...smallRun, engines } as unknown as StackRun, 85 + 84 + 204 + 25.2);
});
