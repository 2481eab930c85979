// The live view of a stack as lines of text: a pure function of its state and the window's size.
import {
  currentReport,
  type EngineView,
  type QueueView,
  type ReportedView,
} from '../../core/views/index.ts';
import { enginePanel } from './engine-panel.ts';
import { initialView, keyHelp, type LiveView, type Sort } from './live-view.ts';
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { gauge, paint, type TerminalStyle, type Tone } from './terminal-style.ts';
import { amount, count, cut, duration, latency, pad, percent, printable } from './terminal-text.ts';

export interface TerminalViewOptions {
  readonly columns: number;
  readonly rows: number;
  readonly style: TerminalStyle;
  /** Shown in the last line, e.g. which keys work. */
  readonly footer: string;
  /** @default the list of engines, as listed, none selected */
  readonly view?: LiveView;
  /** Of the selected engine. */
  readonly details?: EngineDetails | undefined;
}

interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => Cell;
}

interface SizedColumn extends Column {
  readonly width: number;
}

interface Row {
  readonly process: ProcessSnapshot;
  readonly engine: EngineView | undefined;
  /** What the engine reports; null or undefined unless it is live or draining. */
  readonly report: ReportedView | null | undefined;
}

/** Space between columns. */
const gap = '  ';
/** Priorities of waiting requests in the line of totals. */
const prioritiesShownMax = 3;
const gaugeCellsMin = 8;
const gaugeCellsMax = 32;

/**
 * Renders the view: a line of totals, then one line per engine with its gauge of HBM blocks, or one
 * engine, or the keys. No line is wider than `columns` - 1 (a full line would wrap in some terminals) and there are at
 * most `rows` - 1 lines. In narrow windows columns are dropped, the least needed first.
 */
export function renderTerminalView(stack: StackSnapshot, options: TerminalViewOptions): string[] {
  const width = Math.max(1, options.columns - 1);
  const height = Math.max(1, options.rows - 1);
  const totals = totalsLine(stack, options, width);
  const { lines: body, above } = bodyOf(stack, options, width, height - 2);
  const lines = [totals, ...body];
  const footer = paint(cut(options.footer, width), 'dim', options.style);
  if (lines.length + 1 <= height && above === 0) return [...lines, footer];
  if (height < 3) return lines.slice(0, height);
  const hidden = Math.max(0, lines.length - (height - 1)) + above;
  return [
    ...lines.slice(0, height - 1),
    paint(cut(`… ${hidden} more lines; ${options.footer}`, width), 'dim', options.style),
  ];
}

interface Body {
  readonly lines: readonly string[];
  /** Lines left out at the top, so that the selected engine is visible. */
  readonly above: number;
}

function bodyOf(
  stack: StackSnapshot,
  options: TerminalViewOptions,
  width: number,
  height: number,
): Body {
  const { style, view = initialView, details } = options;
  if (view.panel === 'help') return { lines: helpLines(width, style), above: 0 };
  const rows = sortedRows(rowsOf(stack), view);
  const selected = rows.findIndex(({ process }) => process.name === view.selected);
  const chosen = rows[selected];
  if (view.panel === 'engine' && chosen !== undefined) {
    const { process, engine } = chosen;
    const shown = details?.name === process.name ? details : undefined;
    const { tab } = view;
    return {
      lines: enginePanel({ process, engine, details: shown, tab, width, height, style }),
      above: 0,
    };
  }
  // The head of the table takes one line, and a note on hidden lines the place of the footer.
  const above = Math.max(0, selected - Math.max(0, height - 2));
  return {
    lines: [
      ...table(rows.slice(above), width, style, view.selected),
      ...troubleLines(stack, style, width),
    ],
    above,
  };
}

/** Names of the engines in the order shown. */
export function shownNames(stack: StackSnapshot, view: LiveView): string[] {
  return sortedRows(rowsOf(stack), view).map(({ process }) => process.name);
}

function rowsOf(stack: StackSnapshot): Row[] {
  const byUrl = new Map(stack.router?.engines.map((engine) => [engine.url, engine]));
  return stack.processes
    .filter(({ kind }) => kind !== 'router' && kind !== 'prometheus' && kind !== 'cache')
    .map((process) => {
      const engine = byUrl.get(process.url);
      return { process, engine, report: engine && currentReport(engine) };
    });
}

const collator = new Intl.Collator('en', { numeric: true });

/** By sort: the value of a row, at least 0. */
const rankOf: Readonly<Record<Exclude<Sort, 'listed'>, (row: Row) => number | null | undefined>> = {
  name: () => undefined,
  used: ({ report }) => report?.kvUsage,
  running: ({ report }) => report?.running,
  waiting: ({ report }) => report?.waiting,
  hits: ({ report }) => hitRateOf(report),
  ttft: ({ engine }) => engine?.latencies.ttft?.p90,
  // Engines that are not live come first.
  state: (row) => Number(stateCell(row).tone !== 'good'),
};

/** Larger values come first, unknown ones last, and names decide between equal ones. */
function sortedRows(rows: readonly Row[], { sort, isReversed }: LiveView): readonly Row[] {
  const sorted = sort === 'listed' ? rows : byRank(rows, rankOf[sort]);
  return isReversed ? sorted.toReversed() : sorted;
}

function byRank(rows: readonly Row[], figure: (row: Row) => number | null | undefined): Row[] {
  const rank = (row: Row) => figure(row) ?? -1;
  return rows.toSorted(
    (a, b) => rank(b) - rank(a) || collator.compare(a.process.name, b.process.name),
  );
}

function helpLines(width: number, style: TerminalStyle): string[] {
  const keysWidth = Math.max(...keyHelp.map(([keys]) => keys.length));
  return keyHelp.map(([keys, meaning]) => {
    const text = style.hasUnicode ? keys : keys.replace('↑ ↓', 'Up Down');
    return cut(`${pad(text, keysWidth + 2, 'left')}${meaning}`, width);
  });
}

function hitRateOf(report: Row['report']): number | undefined {
  const { prefixCacheQueries: queries, prefixCacheHits: hits } = report ?? {};
  return queries ? (hits ?? 0) / queries : undefined;
}

function totalsLine(stack: StackSnapshot, options: TerminalViewOptions, width: number): string {
  const { router } = stack;
  if (router === null) return paint(cut('no router', width), 'bold', options.style);
  if (!router) {
    const state = stack.processes.find(({ kind }) => kind === 'router')?.state ?? 'gone';
    return paint(cut(`router ${state}`, width), 'warn', options.style);
  }
  const parts = [
    `${router.policy}`,
    ...emulatedText(router.engines),
    amount(router.requests, 'request'),
    `${router.requestsPerSecond.toFixed(1)}/s`,
    `${count(router.inflight)} in flight`,
    ...queueTexts(router.queue),
    ...errorTexts(router),
    `up ${duration(router.uptimeSeconds)}`,
  ];
  const separator = options.style.hasUnicode ? ' · ' : ' | ';
  return paint(cut(parts.join(separator), width), 'bold', options.style);
}

function emulatedText(engines: readonly EngineView[]): string[] {
  const emulated = engines.filter((engine) => engine.emulated).length;
  if (emulated === 0) return [];
  return [emulated === engines.length ? 'emulated' : 'partly emulated'];
}

/** How many wait in the router, of which priorities if there are several, and how many were rejected. */
function queueTexts(queue: QueueView | null): string[] {
  if (queue === null) return [];
  const { waiting, byPriority, rejected } = queue;
  const shown = byPriority.slice(0, prioritiesShownMax);
  const more = byPriority.length > shown.length ? ', …' : '';
  const parts = shown.map((level) => `p${level.priority} ${count(level.waiting)}`);
  return [
    `${count(waiting)} queued${shown.length > 1 ? ` (${parts.join(', ')}${more})` : ''}`,
    ...(rejected > 0 ? [`${count(rejected)} rejected`] : []),
  ];
}

/** Errors by their side; those that no status tells of only in total. */
function errorTexts({
  clientErrors,
  serverErrors,
  errors,
}: NonNullable<StackSnapshot['router']>): string[] {
  if (clientErrors + serverErrors === 0) return [amount(errors, 'error')];
  return [`${count(clientErrors)} 4xx`, `${count(serverErrors)} 5xx`];
}

const columns: Readonly<Record<string, Column>> = {
  name: {
    title: 'engine',
    align: 'left',
    cell: ({ process }) => ({ text: process.name, tone: 'plain' }),
  },
  used: {
    title: 'used',
    align: 'right',
    cell: ({ report }) => cellOf(report?.kvUsage, percent),
  },
  blocks: {
    title: 'blocks',
    align: 'right',
    cell: ({ report }) => {
      const { blocksTotal: total, blocksUsed: used } = report ?? {};
      return cellOf(
        total,
        (blocks) => `${count(used ?? 0)}/${count(blocks)}`,
        () => 'dim',
      );
    },
  },
  running: {
    title: 'run',
    align: 'right',
    cell: ({ report }) => cellOf(report?.running, count),
  },
  waiting: {
    title: 'wait',
    align: 'right',
    cell: ({ report }) => cellOf(report?.waiting, count, toneOfTrouble),
  },
  hits: {
    title: 'hit',
    align: 'right',
    cell: ({ report }) => cellOf(hitRateOf(report), (share) => percent(share, 1)),
  },
  ttft: {
    title: 'TTFT',
    align: 'right',
    cell: ({ engine }) => cellOf(engine?.latencies.ttft?.p90, latency),
  },
  preemptions: {
    title: 'preempt',
    align: 'right',
    cell: ({ report }) => cellOf(report?.preemptions, count, toneOfTrouble),
  },
  state: { title: 'state', align: 'left', cell: stateCell },
};

/** The columns in the order in which they are dropped. */
const leastNeeded = [
  'blocks',
  'preemptions',
  'ttft',
  'used',
  'hits',
  'waiting',
  'running',
  'state',
];

/** @param selected Name of the engine to mark; undefined for a table without marks. */
function table(
  rows: readonly Row[],
  fullWidth: number,
  style: TerminalStyle,
  selected: string | undefined,
): string[] {
  const mark = style.hasUnicode ? '▸ ' : '> ';
  const indent = selected === undefined ? 0 : mark.length;
  const width = fullWidth - indent;
  const marked = (row: Row, line: string): string => {
    const isSelected = row.process.name === selected;
    return (isSelected ? paint(mark, 'bold', style) : ' '.repeat(indent)) + line;
  };
  let shown = Object.keys(columns);
  for (const dropped of ['', ...leastNeeded]) {
    shown = shown.filter((key) => key !== dropped);
    const sized = shown.map((key) => sizedColumn(columns[key] as Column, rows));
    const taken = sized.reduce((sum, column) => sum + column.width + gap.length, 0);
    const gaugeCells = Math.min(gaugeCellsMax, width - taken);
    if (gaugeCells < gaugeCellsMin) continue;
    return [
      paint(' '.repeat(indent) + headLine(sized, gaugeCells), 'dim', style),
      ...rows.map((row) => marked(row, engineLine(row, sized, gaugeCells, style))),
    ];
  }
  if (width <= 0) return rows.map(({ process }) => cut(process.name, fullWidth));
  return rows.map((row) => marked(row, cut(row.process.name, width)));
}

function headLine(shown: readonly SizedColumn[], gaugeCells: number): string {
  const cells = shown.map(({ title, width, align }) => pad(title, width, align));
  cells.splice(1, 0, pad(gaugeCells < 10 ? 'HBM' : 'HBM blocks', gaugeCells, 'left'));
  return cells.join(gap).trimEnd();
}

function engineLine(
  row: Row,
  shown: readonly SizedColumn[],
  gaugeCells: number,
  style: TerminalStyle,
): string {
  const last = shown.at(-1);
  const cells = shown.map((column) => {
    const { text, tone } = column.cell(row);
    return paint(column === last ? text : pad(text, column.width, column.align), tone, style);
  });
  const share = row.report?.kvUsage ?? 0;
  const [filled, empty] = gauge(share, gaugeCells, style);
  const tone = share >= 0.92 ? 'bad' : share >= 0.75 ? 'warn' : 'accent';
  cells.splice(1, 0, paint(filled, tone, style) + paint(empty, 'dim', style));
  return cells.join(gap);
}

/** As wide as its longest cell. */
function sizedColumn(column: Column, rows: readonly Row[]): SizedColumn {
  const cells = rows.map((row) => column.cell(row).text.length);
  return { ...column, width: Math.max(column.title.length, ...cells) };
}

/** The process's state while it is not ready, else the state that the router reports. */
function stateCell({ process, engine }: Row): Cell {
  const isReady = process.state === 'ready' || process.state === 'remote';
  const routed = engine?.ejected ? 'ejected' : (engine?.state ?? 'unknown');
  const text = isReady ? routed : process.state;
  const restarts = process.restarts > 0 ? ` (${process.restarts} restarts)` : '';
  const tone = text === 'live' ? 'good' : text === 'dead' ? 'bad' : 'warn';
  return { text: text + restarts, tone };
}

/** One line per process that is restarting, and per other engine that is dead or ejected, with the reason. */
function troubleLines(stack: StackSnapshot, style: TerminalStyle, width: number): string[] {
  const restarting = stack.processes.filter(
    ({ state, detail }) => state === 'restarting' && detail !== '',
  );
  const names = new Set(restarting.map(({ name }) => name));
  const failing = rowsOf(stack).flatMap(({ process: { name }, engine }) =>
    (engine?.state === 'dead' || engine?.ejected) && !names.has(name)
      ? [`${name}: ${printable(engine.reason)}`]
      : [],
  );
  return [...restarting.map(({ name, detail }) => `${name}: ${detail}`), ...failing].map((line) =>
    paint(cut(line, width), 'warn', style),
  );
}

function cellOf(
  value: number | null | undefined,
  format: (value: number) => string,
  toneOf: (value: number) => Tone = () => 'plain',
): Cell {
  return value === undefined || value === null
    ? { text: '-', tone: 'dim' }
    : { text: format(value), tone: toneOf(value) };
}

/** The tone of a count that should be 0. */
function toneOfTrouble(value: number): Tone {
  return value > 0 ? 'warn' : 'plain';
}
