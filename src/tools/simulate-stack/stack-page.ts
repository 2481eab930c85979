// A simulated stack as one HTML file with charts and without external resources.
import { version } from '../../core/base/index.ts';
import { recordOf } from '../../core/simulation/index.ts';
import { latenciesOf } from '../../core/stats/index.ts';
import {
  count,
  htmlPage,
  htmlTable,
  lineChart,
  type Markup,
  markup,
  milliseconds,
  percent,
  printZoomOf,
  type Series,
  stackedBars,
  type Table,
} from '../report/index.ts';
import { latencies, verdictLine } from '../simulate-report/index.ts';
import { handoffCharts, handoffLines } from './pool-report.ts';
import type { StackRun } from './stack.ts';
import {
  goodLines,
  namedResults,
  redundantLines,
  restoredLines,
  shares,
  stackLines,
  warnings,
  workloadLines,
} from './stack-report.ts';

/** @param command Command line of the run, for the footer. */
export function stackPage(run: StackRun, command: string): string {
  const isStable = run.verdict !== 'OVERLOADED';
  const [verdict = '', rest = ''] = verdictLine(run).split(/:(.*)/);
  const notes = warnings(run);
  const handoff = handoffLines(run);
  const [heading, ...stack] = stackLines(run);
  const workload = [
    ...stack,
    ...goodLines(run),
    ...workloadLines(run),
    ...restoredLines(run),
    ...redundantLines(run),
  ];
  const [engine] = run.engines;
  const drawings = charts(run);
  const lines = [...notes, ...handoff, ...workload];
  return htmlPage({
    title: `Simulation: ${engine?.model.name}`,
    printZoom: printZoomOf(heightMm(drawings.length, run.engines.length, lines.length)),
    body: markup`<p class="name">spillway simulate</p>
<h1>${heading}</h1>
<p class="verdict ${isStable ? 'good' : 'bad'}"><b>${verdict}</b>:${rest}</p>
${notes.length > 0 && markup`<ul class="notes">${notes.map((line) => markup`<li>${line}</li>`)}</ul>`}
${tiles(run)}
<section class="charts">${drawings}</section>
<h2>Latencies</h2>${htmlTable(latencies(run.report))}
<h2>Engines</h2>${htmlTable(enginesTable(run))}
${run.pools && markup`<h2>Disaggregated prefill and decode</h2><pre>${handoff.join('\n')}</pre>`}
<h2>Workload</h2><pre>${workload.join('\n')}</pre>
<footer><p>Virtual time; the same input and seed give the same page. The error of the engine model is in docs/models/engine-model.md.</p><pre>${command}</pre><p>Spillway ${version}</p></footer>`,
  });
}

/**
 * Returns the height of the printed page at full size, as measured in Chromium: charts in rows of three, a row of the
 * table for each engine, and lines of text.
 */
function heightMm(charts: number, engines: number, lines: number): number {
  return 85 + 42 * Math.ceil(charts / 3) + 3.4 * engines + 3.6 * lines;
}

function tiles(run: StackRun): Markup {
  const { report, result } = run;
  const seconds = report.durationSeconds;
  const latency = (value: number | undefined) => (value === undefined ? '–' : milliseconds(value));
  const items: [string, string][] = [
    [latency(report.fromSent.ttft?.mean), 'mean TTFT'],
    [latency(report.fromSent.tpot?.mean), 'mean TPOT'],
    [latency(report.fromSent.e2el?.mean), 'mean E2E'],
    [count(report.outputTokens / seconds), 'output tok/s'],
    [count((report.outputTokens + report.inputTokens) / seconds), 'total tok/s'],
    [percent(result.hitRate), 'prompt tokens found in caches'],
  ];
  return markup`<ul class="tiles">${items.map(([value, name]) => markup`<li><b>${value}</b><span>${name}</span></li>`)}</ul>`;
}

function charts(run: StackRun): Markup[] {
  const { series } = run.result;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const over = (of: (sample: (typeof series)[number]) => number): Series['points'] =>
    series.map((sample) => [sample.atSeconds, of(sample)]);
  const byEngine = namedResults(run);
  return [
    cdf(run),
    lineChart({
      title: 'Requests in the engines',
      ...{ xLabel: 'seconds', yLabel: 'requests' },
      series: [
        { name: 'running', points: over(({ running }) => sum(running)), isStepped: true },
        { name: 'waiting', points: over(({ waiting }) => sum(waiting)), isStepped: true },
      ],
    }),
    lineChart({
      title: 'KV cache in use',
      ...{ xLabel: 'seconds', yLabel: 'share of the blocks', yMax: 1 },
      yText: wholePercent,
      series: [
        {
          name: 'mean of the engines',
          points: over(({ kvUsage }) => sum(kvUsage) / kvUsage.length),
        },
        { name: 'fullest', points: over(({ kvUsage }) => Math.max(...kvUsage)) },
        { name: 'emptiest', points: over(({ kvUsage }) => Math.min(...kvUsage)) },
      ],
    }),
    stackedBars({
      title: 'Prompt tokens by engine and source',
      parts: ['computed', 'HBM hit', run.pools ? 'KV read' : 'tier hit'],
      unit: 'prompt tokens',
      rows: byEngine.map(({ name, computedTokens, cachedTokens, externalTokens }) => ({
        ...{ name, values: [computedTokens, cachedTokens, externalTokens] },
      })),
    }),
    stackedBars({
      title: 'Requests by engine',
      parts: ['requests'],
      unit: 'requests',
      rows: byEngine.map(({ name, requests }) => ({ name, values: [requests] })),
    }),
    ...(run.pools ? handoffCharts(run) : [tierHits(run)]),
  ];
}

function wholePercent(share: number): string {
  return percent(share, 0);
}

function cdf({ timings }: StackRun): Markup {
  const measured = timings.map((timing) => latenciesOf(recordOf(timing, 'arrival')));
  const curve = (name: string, values: readonly number[]): Series => {
    const sorted = values.toSorted((a, b) => a - b);
    return { name, points: sorted.map((value, i) => [value, (i + 1) / sorted.length]) };
  };
  return lineChart({
    title: 'Latency: cumulative share of requests',
    ...{ xLabel: 'seconds (logarithmic)', yLabel: 'share of the requests', logX: true, yMax: 1 },
    yText: wholePercent,
    series: [
      curve(
        'TTFT',
        measured.map(({ ttftSeconds }) => ttftSeconds),
      ),
      curve(
        'TPOT',
        measured.flatMap(({ tpotSeconds }) => tpotSeconds ?? []),
      ),
      curve(
        'E2E',
        measured.map(({ e2eSeconds }) => e2eSeconds),
      ),
    ],
  });
}

function tierHits(run: StackRun): Markup {
  const { hbm_hit_rate: hbm, external_hit_rate: external } = shares(run);
  const { reusableShare } = run.workload;
  return stackedBars({
    title: 'Share of prompt tokens found in caches',
    parts: ['HBM', 'tiers below'],
    unit: '% of the prompt tokens',
    rows: [
      { name: 'found', values: [hbm * 100, external * 100] },
      { name: 'unlimited cache', values: [reusableShare * 100] },
    ],
  });
}

function enginesTable(run: StackRun): Table {
  const rows = namedResults(run).map((engine) => [
    engine.name,
    ...[engine.requests, engine.computedTokens, engine.cachedTokens, engine.externalTokens].map(
      count,
    ),
    ...[engine.outputTokens, engine.preemptions].map(count),
    percent(engine.utilization),
  ]);
  const external = run.pools ? 'KV read' : 'tier hits';
  const head = ['', 'requests', 'computed', 'HBM hits', external, 'output', 'preempted', 'busy'];
  return { head, rows };
}
