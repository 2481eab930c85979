// Results as a table: the median of the repeats, and their range.
import type { Load } from './loads.ts';

export interface Sample {
  readonly proxy: string;
  readonly load: string;
  /** User and system time per request. */
  readonly cpuMicroseconds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly residentMb: number;
  /** Number of responses that were not 2xx, and of broken connections. */
  readonly errors: number;
  readonly loadAverage: number;
}

export function printTable(
  samples: readonly Sample[],
  loads: readonly Load[],
  machine: string,
): void {
  const proxies = [...new Set(samples.map(({ proxy }) => proxy))];
  console.log(`CPU µs per request: median (lowest–highest). ${machine}.\n`);
  console.log(`| router | ${loads.map(({ name }) => name).join(' | ')} | RSS MB |`);
  console.log(`|${'-|'.repeat(loads.length + 2)}`);
  for (const proxy of proxies) {
    const own = samples.filter((sample) => sample.proxy === proxy);
    const cells = loads.map(({ name }) => {
      const costs = own.filter(({ load }) => load === name).map((s) => s.cpuMicroseconds);
      return `${median(costs).toFixed(0)} (${Math.min(...costs).toFixed(0)}–${Math.max(...costs).toFixed(0)})`;
    });
    const resident = Math.max(...own.map(({ residentMb }) => residentMb));
    console.log(`| ${proxy} | ${cells.join(' | ')} | ${resident.toFixed(0)} |`);
  }
  console.log(`\nRequests per second and p99 latency in ms (medians).\n`);
  console.log(`| router | ${loads.map(({ name }) => name).join(' | ')} | errors |`);
  console.log(`|${'-|'.repeat(loads.length + 2)}`);
  for (const proxy of proxies) {
    const own = samples.filter((sample) => sample.proxy === proxy);
    const cells = loads.map(({ name }) => {
      const runs = own.filter(({ load }) => load === name);
      const rate = median(runs.map(({ requestsPerSecond }) => requestsPerSecond));
      return `${rate.toFixed(0)}, ${median(runs.map(({ p99Ms }) => p99Ms)).toFixed(1)}`;
    });
    console.log(`| ${proxy} | ${cells.join(' | ')} | ${own.reduce((n, s) => n + s.errors, 0)} |`);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
