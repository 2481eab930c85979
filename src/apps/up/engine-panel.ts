// One engine in the live view: its figures, its latencies, and its log, requests or picks.
import { currentReport, type EngineView, type LatenciesView } from '../../core/views/index.ts';
import { type Tab, tabs } from './live-view.ts';
import type { EngineDetails, ProcessSnapshot } from './snapshot.ts';
import { paint, type TerminalStyle } from './terminal-style.ts';
import {
  count,
  cut,
  duration,
  latency,
  pad,
  percent,
  printable,
  sparkline,
} from './terminal-text.ts';

export interface EnginePanelOptions {
  readonly process: ProcessSnapshot;
  /** Undefined while the router does not know the engine. */
  readonly engine: EngineView | undefined;
  /** Undefined until they are loaded. */
  readonly details: EngineDetails | undefined;
  readonly tab: Tab;
  readonly width: number;
  /** Lines that the panel may take. */
  readonly height: number;
  readonly style: TerminalStyle;
}

/** At most `height` lines of at most `width` cells; the newest entry of a list comes last. */
export function enginePanel(options: EnginePanelOptions): string[] {
  const { process, engine, details, tab, width, height, style } = options;
  const head = [
    paint(cut(titleOf(process, engine, style), width), 'bold', style),
    ...(engine === undefined ? [] : [cut(figuresOf(engine, style), width)]),
    ...reasonLines(process, engine).map((line) => paint(cut(line, width), 'warn', style)),
    ...latencyLines(engine?.latencies).map((line) => cut(line, width)),
    ...historyLines(details, width, style),
    tabLine(tab, width, style),
  ].slice(0, height);
  const { title = [], lines } = bodyOf(tab, details, process);
  const room = height - head.length - title.length;
  if (room <= 0) return head;
  return [...head, ...[...title, ...lines.slice(-room)].map((line) => cut(line, width))];
}

function separatorOf(style: TerminalStyle): string {
  return style.hasUnicode ? ' · ' : ' | ';
}

function titleOf(
  process: ProcessSnapshot,
  engine: EngineView | undefined,
  style: TerminalStyle,
): string {
  const parts = [
    process.name,
    process.url,
    process.model ?? '',
    engine?.state ?? process.state,
    engine?.emulated ? 'emulated' : '',
  ];
  return parts.filter((part) => part !== '').join(separatorOf(style));
}

function figuresOf(engine: EngineView, style: TerminalStyle): string {
  const report = currentReport(engine);
  const { totals, rates, load } = engine;
  const known = (value: number | null | undefined, format: (value: number) => string): string =>
    value === null || value === undefined ? '-' : format(value);
  return [
    `HBM ${known(report?.kvUsage, percent)}`,
    `running ${known(report?.running, count)}`,
    `waiting ${known(report?.waiting, count)}`,
    `in flight ${count(load.inflight)}`,
    `${known(rates?.generationTokensPerSecond, count)} tokens/s`,
    `${count(totals.requests)} sent`,
    `4xx ${count(totals.clientErrors)}`,
    `5xx ${count(totals.serverErrors)}`,
  ].join(separatorOf(style));
}

/** Why the process or the engine is not in order. */
function reasonLines(process: ProcessSnapshot, engine: EngineView | undefined): string[] {
  if (process.state === 'restarting' && process.detail !== '') return [process.detail];
  if (engine?.ejected) return [printable(engine.reason)];
  if (engine === undefined || engine.state === 'live') return [];
  return [printable(`${engine.state} for ${duration(engine.stateSeconds)}: ${engine.reason}`)];
}

function latencyLines(latencies: LatenciesView | undefined): string[] {
  if (latencies === undefined) return [];
  const { ttft, tpot, e2e } = latencies;
  const rows = [
    ['TTFT', ttft],
    ['TPOT', tpot],
    ['E2E', e2e],
  ] as const;
  if (rows.every(([, quantiles]) => quantiles === null))
    return ['no latencies in the last minutes'];
  return [
    `${pad('', 5, 'left')}${['p50', 'p90', 'p99', 'requests'].map((text) => pad(text, 9, 'right')).join('')}`,
    ...rows.flatMap(([name, quantiles]) => {
      if (quantiles === null) return [];
      const { p50, p90, p99, count: requests } = quantiles;
      const cells = [latency(p50), latency(p90), latency(p99), count(requests)];
      return [`${pad(name, 5, 'left')}${cells.map((text) => pad(text, 9, 'right')).join('')}`];
    }),
  ];
}

function historyLines(
  details: EngineDetails | undefined,
  width: number,
  style: TerminalStyle,
): string[] {
  const usage = details?.history?.series.kvUsage ?? [];
  if (usage.length < 2 || !style.hasUnicode) return [];
  const label = 'HBM  ';
  return [
    paint(
      cut(label + sparkline(usage, Math.max(1, width - label.length), 1), width),
      'accent',
      style,
    ),
  ];
}

function tabLine(chosen: Tab, width: number, style: TerminalStyle): string {
  const titles = tabs.map((tab, index) => {
    const title = `${index + 1} ${tab}`;
    return tab === chosen ? `[${title}]` : ` ${title} `;
  });
  return paint(cut(titles.join(' '), width), 'bold', style);
}

/** A list, and the titles of its columns, which stay when only its end fits. */
interface Body {
  readonly title?: readonly string[];
  readonly lines: readonly string[];
}

function bodyOf(tab: Tab, details: EngineDetails | undefined, process: ProcessSnapshot): Body {
  if (details === undefined) return { lines: ['loading'] };
  switch (tab) {
    case 'log':
      return { lines: logLines(details, process) };
    case 'requests':
      return details.requests.length > 0 ? requestList(details) : { lines: ['no requests yet'] };
    case 'picks':
      return details.picks.length > 0 ? pickList(details) : { lines: ['no requests yet'] };
  }
}

function logLines({ log }: EngineDetails, process: ProcessSnapshot): string[] {
  if (log.length > 0) return log.map(printable);
  return [
    process.kind === 'url'
      ? 'this engine was not started here: its log is where it runs'
      : 'it has printed nothing yet',
  ];
}

function requestList({ requests }: EngineDetails): Body {
  const row = (cells: readonly string[], rest: string): string =>
    `${cells.map((text) => pad(text, 10, 'right')).join('')}  ${rest}`;
  return {
    title: [row(['status', 'TTFT', 'E2E', 'tokens'], 'request')],
    lines: requests.map(({ outcome, status, ttftSeconds, seconds, outputTokens, requestId }) =>
      row(
        [
          outcome === 'cancelled' ? 'cancelled' : String(status),
          ttftSeconds === null ? '-' : latency(ttftSeconds),
          latency(seconds),
          outputTokens === null ? '-' : count(outputTokens),
        ],
        printable(requestId),
      ),
    ),
  };
}

function pickList({ picks }: EngineDetails): Body {
  const row = (prompt: string, cached: string, why: string): string =>
    `${pad(prompt, 10, 'right')}${pad(cached, 10, 'right')}  ${why}`;
  return {
    title: [row('prompt', 'cached', 'why')],
    lines: picks.map(({ promptTokens, cachedTokens, reason }) =>
      row(count(promptTokens), count(cachedTokens), printable(reason)),
    ),
  };
}
