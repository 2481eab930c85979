// Runs as a table, as JSON, and as one page: listing, trends, the last against the one before, and pictures of each.
import {
  count,
  htmlPage,
  htmlTable,
  lineChart,
  type Markup,
  markup,
  number,
  roundChange,
  type Table,
  textTable,
} from '../report/index.ts';
import type { SavedResponse, SavedRun } from './read-run.ts';
import { runCharts } from './run-charts.ts';
import {
  differences,
  figureOf,
  findingOf,
  loadOf,
  type RunFigure,
  runFigures,
} from './run-figures.ts';

/** Runs whose pictures are on a page; older ones are only listed. */
export const picturedMax = 12;

const listed = [
  'completed',
  'failed',
  'request_throughput',
  'output_throughput',
  'median_ttft_ms',
  'p99_ttft_ms',
  'median_tpot_ms',
  'median_e2el_ms',
];
const listedFigures = runFigures.filter(({ key }) => listed.includes(key));

export function runsTable(runs: readonly SavedRun[]): string {
  if (runs.length === 0)
    return 'No runs. Write some with --run-dir, such as spillway bench serve --run-dir runs.\n';
  const table = listing(runs);
  const isLeft = (column: number) => column < 4 || table.head[column] === findingColumn;
  return `${textTable(table, { isLeft })}\n`;
}

export function runsJson(runs: readonly SavedRun[]): Record<string, unknown> {
  return {
    runs: runs.map((run) => ({
      path: run.path,
      command: run.command,
      label: run.label ?? null,
      started_at: run.startedAt,
      status: run.status ?? null,
      finding: findingOf(run) ?? null,
      ...Object.fromEntries(
        runFigures.map((figure) => [figure.key, figureOf(run, figure) ?? null]),
      ),
    })),
  };
}

/**
 * Returns a page without external resources.
 *
 * @param runs Oldest first.
 * @param responses Of the runs whose pictures are shown.
 */
export function runsPage(
  runs: readonly SavedRun[],
  responses: ReadonlyMap<SavedRun, readonly SavedResponse[]>,
): string {
  const groups = [...Map.groupBy(runs, loadOf).values()].filter((group) => group.length > 1);
  const body = markup`<h1>${runs.length === 1 ? '1 run' : `${count(runs.length)} runs`}</h1>
${htmlTable(listing(runs))}
${groups.map(trendSection)}
${pairSection(runs, groups)}
${runs
  .toReversed()
  .filter((run) => responses.has(run))
  .map((run) => runSection(run, responses.get(run) ?? []))}`;
  return htmlPage({ title: 'Runs', body });
}

/** Returns a page about one load. @param text Its table, as on a terminal. */
export function loadPage(title: string, text: string, responses: readonly SavedResponse[]): string {
  const body = markup`<h1>${title}</h1>
<pre class="table" tabindex="0">${text}</pre>
<div class="charts">${runCharts(responses)}</div>`;
  return htmlPage({ title, body });
}

/** The last column, for runs that have found something, such as a knee. */
const findingColumn = 'finding';

function listing(runs: readonly SavedRun[]): Table {
  const hasFindings = runs.some((run) => findingOf(run) !== undefined);
  return {
    head: [
      'started',
      'command',
      'label',
      'status',
      ...listedFigures.map(({ name }) => name),
      ...(hasFindings ? [findingColumn] : []),
    ],
    rows: runs.map((run) => [
      run.startedAt.slice(0, 19).replace('T', ' '),
      run.command,
      run.label ?? '',
      run.status === undefined ? 'killed' : String(run.status),
      ...listedFigures.map((figure) => figureText(figure, figureOf(run, figure))),
      ...(hasFindings ? [findingOf(run) ?? ''] : []),
    ]),
  };
}

/** Charts of the figures of runs of the same load. */
function trendSection(group: readonly SavedRun[]): Markup {
  const charts = ['median_ttft_ms', 'output_throughput'].flatMap((key) => {
    const figure = runFigures.find((one) => one.key === key) as RunFigure;
    const points = group.map((run, index) => [index + 1, figureOf(run, figure)] as const);
    if (points.every(([, value]) => value === undefined)) return [];
    const chart = lineChart({
      title: figure.name,
      xLabel: 'run',
      yLabel: figure.unit === 'ms' ? 'milliseconds' : figure.name,
      series: [{ name: figure.name, points }],
      xTicks: runTicks(group.length),
    });
    return [chart];
  });
  const [first] = group;
  return markup`<h2>${group.length} runs of the same load</h2>
<p class="soft"><code>${first === undefined ? '' : loadOf(first)}</code></p>
<div class="charts">${charts}</div>`;
}

/** At most ten whole numbers of runs. */
function runTicks(runs: number): { readonly at: number; readonly text: string }[] {
  const step = Math.ceil(runs / 10);
  return Array.from({ length: Math.ceil(runs / step) }, (_, i) => {
    const at = 1 + i * step;
    return { at, text: String(at) };
  });
}

/** The last two runs of the same load; of two runs, these. */
function pairSection(runs: readonly SavedRun[], groups: readonly (readonly SavedRun[])[]): Markup {
  const group = runs.length === 2 ? runs : groups.at(-1);
  const [a, b] = group?.slice(-2) ?? [];
  if (a === undefined || b === undefined) return markup``;
  const figures = runFigures.flatMap((figure) => {
    const [before, after] = [figureOf(a, figure), figureOf(b, figure)];
    if (before === undefined || after === undefined) return [];
    const change = before === 0 ? (after === 0 ? '±0 %' : '-') : roundChange(after / before - 1);
    return [[figure.name, figureText(figure, before), figureText(figure, after), change]];
  });
  const differing = [
    ...differences(a.environment, b.environment),
    ...(loadOf(a) === loadOf(b) ? [] : [{ path: 'load', a: loadOf(a), b: loadOf(b) }]),
  ];
  const named = (run: SavedRun) => run.label ?? run.startedAt.slice(0, 19).replace('T', ' ');
  return markup`<h2>${named(b)} against ${named(a)}</h2>
<p class="soft">One run each has no interval: <code>spillway compare</code> gives a verdict.</p>
${htmlTable({ head: ['', named(a), named(b), 'change'], rows: figures })}
<h2>Differences between their environments</h2>
${
  differing.length === 0
    ? markup`<p>None.</p>`
    : htmlTable({
        head: ['', named(a), named(b)],
        rows: differing.map(({ path, a: left, b: right }) => [path, left, right]),
      })
}`;
}

function runSection(run: SavedRun, responses: readonly SavedResponse[]): Markup {
  const failed = responses.filter(({ error }) => error !== undefined).length;
  return markup`<h2>${run.label ?? run.command}, ${run.startedAt.slice(0, 19).replace('T', ' ')}</h2>
<p class="soft">${count(responses.length)} requests, ${count(failed)} failed; <code>${run.arguments.join(' ')}</code></p>
<div class="charts">${runCharts(responses)}</div>`;
}

function figureText({ unit }: RunFigure, value: number | undefined): string {
  if (value === undefined) return '-';
  if (unit === 'requests') return count(value);
  return unit === 'ms' ? `${number(value)} ms` : number(value);
}
