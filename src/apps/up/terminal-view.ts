// The live picture of a stack as lines of text: a pure function of its state and the window's size.
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { gauge, paint, type TerminalStyle, type Tone } from './terminal-style.ts';

export interface TerminalViewOptions {
  readonly columns: number;
  readonly rows: number;
  readonly style: TerminalStyle;
  /** Shown in the last line, e.g. which keys work. */
  readonly footer: string;
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

interface Row {
  readonly process: ProcessSnapshot;
  readonly engine: NonNullable<StackSnapshot['router']>['engines'][number] | undefined;
}

/** Cells between two columns. */
const gap = '  ';
const gaugeCellsMin = 8;
const gaugeCellsMax = 32;

/**
 * Renders the picture: a line of totals, then one line per engine with its gauge of HBM blocks.
 * No line is wider than `columns` - 1 (a full line would wrap in some terminals) and there are at
 * most `rows` - 1 lines. In narrow windows columns fall away, the least needed first.
 */
export function renderTerminalView(stack: StackSnapshot, options: TerminalViewOptions): string[] {
  const width = Math.max(1, options.columns - 1);
  const height = Math.max(1, options.rows - 1);
  const rows = rowsOf(stack);
  const lines = [
    totalsLine(stack, options, width),
    ...table(rows, width, options.style),
    ...troubleLines(stack, options.style, width),
  ];
  const footer = paint(cut(options.footer, width), 'dim', options.style);
  if (lines.length + 1 <= height) return [...lines, footer];
  if (height < 3) return lines.slice(0, height);
  const hidden = lines.length - (height - 1);
  return [
    ...lines.slice(0, height - 1),
    paint(cut(`… ${hidden} more lines; ${options.footer}`, width), 'dim', options.style),
  ];
}

function rowsOf(stack: StackSnapshot): Row[] {
  const byUrl = new Map(stack.router?.engines.map((engine) => [engine.url, engine]));
  return stack.processes
    .filter(({ kind }) => kind !== 'router')
    .map((process) => ({ process, engine: byUrl.get(process.url) }));
}

function totalsLine(stack: StackSnapshot, options: TerminalViewOptions, width: number): string {
  const { router } = stack;
  if (!router) {
    const state = stack.processes.find(({ kind }) => kind === 'router')?.state ?? 'gone';
    return paint(cut(`router ${state}`, width), 'warn', options.style);
  }
  const parts = [
    `${router.policy}`,
    `${count(router.requests)} requests`,
    `${router.requestsPerSecond.toFixed(1)}/s`,
    `${count(router.inflight)} in flight`,
    `${count(router.errors)} errors`,
    `up ${duration(router.uptimeSeconds)}`,
  ];
  const separator = options.style.hasUnicode ? ' · ' : ' | ';
  return paint(cut(parts.join(separator), width), 'bold', options.style);
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
    cell: ({ engine }) =>
      cellOf(engine?.reported?.kvUsage, (share) => `${(share * 100).toFixed(0)}%`),
  },
  blocks: {
    title: 'blocks',
    align: 'right',
    cell: ({ engine }) => {
      const { blocksTotal: total, blocksUsed: used } = engine?.reported ?? {};
      return cellOf(total, (blocks) => `${count(used ?? 0)}/${count(blocks)}`, 'dim');
    },
  },
  running: {
    title: 'run',
    align: 'right',
    cell: ({ engine }) => cellOf(engine?.reported?.running, count),
  },
  waiting: {
    title: 'wait',
    align: 'right',
    cell: ({ engine }) => {
      const waiting = engine?.reported?.waiting;
      return cellOf(waiting, count, (waiting ?? 0) > 0 ? 'warn' : 'plain');
    },
  },
  hits: {
    title: 'hit',
    align: 'right',
    cell: ({ engine }) => {
      const { prefixCacheQueries: queries, prefixCacheHits: hits } = engine?.reported ?? {};
      const share = queries ? (hits ?? 0) / queries : undefined;
      return cellOf(share, (value) => `${(value * 100).toFixed(1)}%`);
    },
  },
  preemptions: {
    title: 'preempt',
    align: 'right',
    cell: ({ engine }) => {
      const preemptions = engine?.reported?.preemptions;
      return cellOf(preemptions, count, (preemptions ?? 0) > 0 ? 'warn' : 'plain');
    },
  },
  state: { title: 'state', align: 'left', cell: stateCell },
};

/** The columns from the first to fall away to the last. */
const leastNeeded = ['blocks', 'preemptions', 'used', 'hits', 'waiting', 'running', 'state'];

function table(rows: readonly Row[], width: number, style: TerminalStyle): string[] {
  let shown = Object.keys(columns);
  for (const dropped of ['', ...leastNeeded]) {
    shown = shown.filter((key) => key !== dropped);
    const widths = shown.map((key) => columnWidth(columns[key] as Column, rows));
    const taken = widths.reduce((sum, cells) => sum + cells + gap.length, 0);
    const gaugeCells = Math.min(gaugeCellsMax, width - taken);
    if (gaugeCells < gaugeCellsMin) continue;
    return [
      paint(headLine(shown, widths, gaugeCells), 'dim', style),
      ...rows.map((row) => engineLine(row, shown, widths, gaugeCells, style)),
    ];
  }
  return rows.map(({ process }) => cut(process.name, width));
}

function headLine(shown: readonly string[], widths: readonly number[], gaugeCells: number): string {
  const cells = shown.map((key, index) => {
    const column = columns[key] as Column;
    return pad(column.title, widths[index] ?? 0, column.align);
  });
  cells.splice(1, 0, pad(gaugeCells < 10 ? 'HBM' : 'HBM blocks', gaugeCells, 'left'));
  return cells.join(gap).trimEnd();
}

function engineLine(
  row: Row,
  shown: readonly string[],
  widths: readonly number[],
  gaugeCells: number,
  style: TerminalStyle,
): string {
  const cells = shown.map((key, index) => {
    const column = columns[key] as Column;
    const { text, tone } = column.cell(row);
    const isLast = index === shown.length - 1;
    return paint(isLast ? text : pad(text, widths[index] ?? 0, column.align), tone, style);
  });
  const share = row.engine?.reported?.kvUsage ?? 0;
  const [filled, empty] = gauge(share, gaugeCells, style);
  const tone = share >= 0.92 ? 'bad' : share >= 0.75 ? 'warn' : 'accent';
  cells.splice(1, 0, paint(filled, tone, style) + paint(empty, 'dim', style));
  return cells.join(gap);
}

function columnWidth(column: Column, rows: readonly Row[]): number {
  return Math.max(column.title.length, ...rows.map((row) => column.cell(row).text.length));
}

/** The process's word while it is not ready, else the router's. */
function stateCell({ process, engine }: Row): Cell {
  const isReady = process.state === 'ready' || process.state === 'remote';
  const text = isReady ? (engine?.state ?? 'unknown') : process.state;
  const restarts = process.restarts > 0 ? ` (${process.restarts} restarts)` : '';
  const tone = text === 'live' ? 'good' : text === 'dead' ? 'bad' : 'warn';
  return { text: text + restarts, tone };
}

/** One line per engine or router that is not as it should be, with the reason. */
function troubleLines(stack: StackSnapshot, style: TerminalStyle, width: number): string[] {
  return stack.processes
    .filter(({ state, detail }) => state === 'restarting' && detail !== '')
    .map(({ name, detail }) => paint(cut(`${name}: ${detail}`, width), 'warn', style));
}

function cellOf(
  value: number | null | undefined,
  format: (value: number) => string,
  tone: Tone = 'plain',
): Cell {
  return value === undefined || value === null
    ? { text: '-', tone: 'dim' }
    : { text: format(value), tone };
}

/** Thousands as 12.3k, so that columns stay narrow. */
function count(value: number): string {
  if (value < 10_000) return value.toFixed(0);
  return value < 999_950 ? `${(value / 1e3).toFixed(1)}k` : `${(value / 1e6).toFixed(2)}M`;
}

/** `1:02:03` or `2:03`. */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? part : String(part).padStart(2, '0'))).join(':');
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
