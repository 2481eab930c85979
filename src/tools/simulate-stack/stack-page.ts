// A simulated stack as one HTML file with pictures, which needs nothing but itself.
import { version } from '../../core/base/index.ts';
import { recordOf } from '../../core/simulation/index.ts';
import { latenciesOf, latencyNames } from '../../core/stats/index.ts';
import {
  chartStyle,
  escapeXml,
  lineChart,
  percent,
  type Series,
  stackedBars,
  tokens,
  verdictLine,
} from '../simulate-report/index.ts';
import { handoffCharts, handoffLines } from './pool-report.ts';
import type { StackRun } from './stack.ts';
import {
  goodLines,
  restoredLines,
  shares,
  stackLines,
  warnings,
  workloadLines,
} from './stack-report.ts';

/** @param command How the run was made, for the foot of the page. */
export function stackPage(run: StackRun, command: string): string {
  const isStable = run.verdict !== 'OVERLOADED';
  const [verdict = '', rest = ''] = verdictLine(run).split(/:(.*)/);
  const notes = warnings(run).map((line) => `<li>${escapeXml(line)}</li>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Simulation: ${escapeXml(run.engines[0]?.model.name ?? '')}</title><style>${style}${chartStyle}</style></head>
<body><main>
<p class="name">spillway simulate</p>
<h1>${escapeXml(stackLines(run)[0] ?? '')}</h1>
<p class="verdict ${isStable ? 'good' : 'bad'}"><b>${escapeXml(verdict)}</b>${escapeXml(rest)}</p>
${notes.length > 0 ? `<ul class="notes">${notes.join('')}</ul>` : ''}
${tiles(run)}
<section class="charts">${charts(run).join('')}</section>
<h2>Latencies, ms</h2>${latencies(run)}
<h2>Engines</h2>${enginesTable(run)}
${pools(run)}<h2>Workload</h2><pre>${escapeXml([...stackLines(run).slice(1), ...goodLines(run), ...workloadLines(run), ...restoredLines(run)].join('\n'))}</pre>
<footer><p>Virtual time; equal input and seed give this page again. How far the engine model is off: docs/models/engine-model.md.</p><pre>${escapeXml(command)}</pre><p>Spillway ${version}</p></footer>
</main></body></html>
`;
}

const style = `
:root{color-scheme:light dark;--back:#fff;--fore:#1c2330;--soft:#5d6675;--line:#e3e7ee;--card:#f6f8fb;
--c0:#2f6fdf;--c1:#e0701b;--c2:#1f9d6b;--c3:#8a54d6;--c4:#c43d6b;--c5:#7b8494}
@media (prefers-color-scheme:dark){:root{--back:#12161d;--fore:#e8ecf3;--soft:#9aa5b6;--line:#29313d;--card:#1a2029;
--c0:#6aa2ff;--c1:#ff9c4f;--c2:#4ccb97;--c3:#b58cf2;--c4:#ee7ba0;--c5:#98a2b3}}
*{box-sizing:border-box} body{margin:0;background:var(--back);color:var(--fore);font:16px/1.5 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:2rem 1.25rem} h1{font-size:1.4rem;margin:.1rem 0 .6rem;text-wrap:balance}
h2{font-size:1.05rem;margin:2rem 0 .5rem} .name{color:var(--soft);margin:0} .verdict{margin:.2rem 0 1rem}
.good b{color:var(--c2)} .bad b{color:var(--c4)} .notes{margin:.2rem 0 1rem;padding-left:1.2rem;color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.75rem;margin:0 0 1.5rem;padding:0;list-style:none}
.tiles li{background:var(--card);border-radius:10px;padding:.7rem .9rem} .tiles b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:.86rem} .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:1.25rem 1.5rem}
.scroll{overflow-x:auto} table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
td,th{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap} td:first-child,th:first-child{text-align:left;padding-left:0}
th{color:var(--soft);font-weight:500} pre{white-space:pre-wrap;background:var(--card);border-radius:10px;padding:.8rem 1rem;font-size:.86rem;overflow-wrap:anywhere}
footer{margin-top:2.5rem;color:var(--soft);font-size:.86rem}`;

/** Empty where the same engines prefill and decode. */
function pools(run: StackRun): string {
  const lines = handoffLines(run);
  return lines.length === 0
    ? ''
    : `<h2>Prefill and decode apart</h2><pre>${escapeXml(lines.join('\n'))}</pre>\n`;
}

function tiles(run: StackRun): string {
  const { report, result } = run;
  const seconds = report.durationSeconds;
  const milliseconds = (value: number | undefined) =>
    value === undefined
      ? '–'
      : value >= 1000
        ? `${(value / 1000).toFixed(2)} s`
        : `${value.toFixed(0)} ms`;
  const items: [string, string][] = [
    [milliseconds(report.fromSent.ttft?.mean), 'mean TTFT'],
    [milliseconds(report.fromSent.tpot?.mean), 'mean TPOT'],
    [milliseconds(report.fromSent.e2el?.mean), 'mean E2E'],
    [tokens(report.outputTokens / seconds), 'output tok/s'],
    [tokens((report.outputTokens + report.inputTokens) / seconds), 'tok/s in all'],
    [percent(result.hitRate), 'prompt tokens found in caches'],
  ];
  return `<ul class="tiles">${items.map(([value, name]) => `<li><b>${escapeXml(value)}</b><span>${escapeXml(name)}</span></li>`).join('')}</ul>`;
}

function charts(run: StackRun): string[] {
  const { result, engines } = run;
  const { series } = result;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const over = (of: (sample: (typeof series)[number]) => number): Series['points'] =>
    series.map((sample) => [sample.atSeconds, of(sample)]);
  const rows = result.engines.map((engine, i) => ({
    name: engines[i]?.name ?? String(i),
    values: [engine.computedTokens, engine.cachedTokens, engine.externalTokens],
  }));
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
      yText: (value) => `${Math.round(value * 100)} %`,
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
      title: 'Prompt tokens by engine, and where they came from',
      parts: ['computed', 'HBM hit', run.pools ? 'KV read' : 'tier hit'],
      unit: 'prompt tokens',
      rows,
    }),
    stackedBars({
      title: 'Requests by engine',
      parts: ['requests'],
      unit: 'requests',
      rows: result.engines.map(({ requests }, i) => ({
        name: engines[i]?.name ?? String(i),
        values: [requests],
      })),
    }),
    ...(run.pools ? handoffCharts(run) : [tierHits(run)]),
  ];
}

function cdf({ timings }: StackRun): string {
  const latencies = timings.map((timing) => latenciesOf(recordOf(timing, 'arrival')));
  const curve = (name: string, values: readonly number[]): Series => {
    const sorted = values.toSorted((a, b) => a - b);
    return { name, points: sorted.map((value, i) => [value, (i + 1) / sorted.length]) };
  };
  return lineChart({
    title: 'Latency: share of the requests that were as fast',
    ...{ xLabel: 'seconds (logarithmic)', yLabel: 'share of the requests', logX: true, yMax: 1 },
    yText: (value) => `${Math.round(value * 100)} %`,
    series: [
      curve(
        'TTFT',
        latencies.map(({ ttftSeconds }) => ttftSeconds),
      ),
      curve(
        'TPOT',
        latencies.flatMap(({ tpotSeconds }) => tpotSeconds ?? []),
      ),
      curve(
        'E2E',
        latencies.map(({ e2eSeconds }) => e2eSeconds),
      ),
    ],
  });
}

function tierHits(run: StackRun): string {
  const { hbm_hit_rate: hbm, external_hit_rate: external } = shares(run);
  const { reusableShare } = run.workload;
  return stackedBars({
    title: 'Share of the prompt tokens that caches gave',
    parts: ['HBM', 'tiers below'],
    unit: '% of the prompt tokens',
    rows: [
      { name: 'found', values: [hbm * 100, external * 100] },
      { name: 'endless cache', values: [reusableShare * 100] },
    ],
  });
}

function latencies({ report }: StackRun): string {
  const rows = latencyNames.map((name) => {
    const summary = report.fromSent[name];
    const values = [
      summary?.mean,
      summary?.median,
      ...(summary?.percentiles ?? []).map((p) => p.value),
    ];
    return [name.toUpperCase(), ...values.map((value) => value?.toFixed(1) ?? '–')];
  });
  return table(['', 'mean', 'median', ...report.percentiles.map((q) => `p${q}`)], rows);
}

function enginesTable({ engines, pools: apart, result }: StackRun): string {
  const rows = result.engines.map((engine, i) => [
    engines[i]?.name ?? String(i),
    ...[engine.requests, engine.computedTokens, engine.cachedTokens, engine.externalTokens].map(
      tokens,
    ),
    ...[engine.outputTokens, engine.preemptions].map(tokens),
    percent(engine.utilization),
  ]);
  const external = apart ? 'KV read' : 'tier hits';
  const head = ['', 'requests', 'computed', 'HBM hits', external, 'output', 'preempted', 'busy'];
  return table(head, rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    `<tr>${row.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table>${cells(head, 'th')}${rows.map((row) => cells(row, 'td')).join('')}</table></div>`;
}
