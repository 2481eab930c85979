// The figures by which runs are listed and compared, from results in the keys of `vllm bench serve`.
import { counted } from '../../core/base/index.ts';
import type { SavedRun } from './read-run.ts';

/** One figure of a run. */
export interface RunFigure {
  readonly key: string;
  readonly name: string;
  readonly unit: 'ms' | '1/s' | 'requests';
  readonly isBetterUp: boolean;
}

export const runFigures: readonly RunFigure[] = [
  { key: 'completed', name: 'completed', unit: 'requests', isBetterUp: true },
  { key: 'failed', name: 'failed', unit: 'requests', isBetterUp: false },
  { key: 'request_throughput', name: 'requests/s', unit: '1/s', isBetterUp: true },
  { key: 'output_throughput', name: 'output tokens/s', unit: '1/s', isBetterUp: true },
  { key: 'median_ttft_ms', name: 'TTFT p50', unit: 'ms', isBetterUp: false },
  { key: 'p99_ttft_ms', name: 'TTFT p99', unit: 'ms', isBetterUp: false },
  { key: 'median_tpot_ms', name: 'TPOT p50', unit: 'ms', isBetterUp: false },
  { key: 'p99_tpot_ms', name: 'TPOT p99', unit: 'ms', isBetterUp: false },
  { key: 'median_e2el_ms', name: 'E2E p50', unit: 'ms', isBetterUp: false },
  { key: 'p99_e2el_ms', name: 'E2E p99', unit: 'ms', isBetterUp: false },
];

/** Returns the figure of a run; undefined if its result lacks it. */
export function figureOf({ result }: SavedRun, { key }: RunFigure): number | undefined {
  const value = result?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** One line on what a sweep, a search or a soak found; undefined for a single load. */
export function findingOf({ result }: SavedRun): string | undefined {
  if (result === undefined) return undefined;
  const { knee, axis, max_rate: rate, verdict } = result;
  if (typeof verdict === 'string') return verdict;
  if (typeof rate === 'number')
    return `${Number(rate.toPrecision(4))} requests/s hold the service level`;
  const load = objectOf(knee)?.[String(axis)];
  if (typeof load !== 'number') return undefined;
  return axis === 'rate' ? `knee at ${load} requests/s` : `knee at ${counted(load, 'user')}`;
}

/** Arguments that may differ between runs of the same load: where, and what they are called. */
const freeFlags = [
  ...['--url', '--base-url', '--host', '--port', '--label', '--metadata', '--run-dir', '--json'],
  ...['--api-key', '--api-key-env', '--csv', '--html', '--result-dir', '--result-filename'],
];

/** Returns what runs of the same load have in common: the arguments, which begin with the command, without those. */
export function loadOf({ arguments: args }: SavedRun): string {
  const kept = args.filter((arg, index) => {
    const flag = arg.split('=')[0] as string;
    const before = args[index - 1] ?? '';
    const isValue = !arg.startsWith('--') && freeFlags.includes(before);
    return !isValue && !freeFlags.includes(flag);
  });
  return kept.join(' ');
}

/** A value that differs between two runs, by its path. */
export interface Difference {
  readonly path: string;
  readonly a: string;
  readonly b: string;
}

/** Values that always differ between two runs. */
const momentary = /(^|\.)(load|bytes|uptime)$/;

/** Returns where two environments differ, without the load of the machine. */
export function differences(a: unknown, b: unknown, path = ''): readonly Difference[] {
  const [left, right] = [objectOf(a), objectOf(b)];
  if (left !== undefined && right !== undefined) {
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    return keys.flatMap((key) =>
      differences(left[key], right[key], path === '' ? key : `${path}.${key}`),
    );
  }
  const [textA, textB] = [textOf(a), textOf(b)];
  return textA === textB || momentary.test(path) ? [] : [{ path, a: textA, b: textB }];
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}
