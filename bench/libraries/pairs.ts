// Runs two implementations of one operation in turn, many times: the ratio of their costs, and its
// spread.

/** One operation, in Spillway's code and in the library's. */
export interface Pair {
  readonly what: string;
  /** Runs the operation once. */
  readonly ours: () => unknown;
  readonly theirs: () => unknown;
}

export interface PairResult {
  readonly what: string;
  /** Microseconds of CPU time each, medians. */
  readonly oursMicros: number;
  readonly theirsMicros: number;
  /** Ratio of ours to theirs: median, 10th and 90th percentile of the pairs. */
  readonly ratio: readonly [number, number, number];
}

/** Long enough that the resolution of the clock does not matter. */
const sliceMs = 40;
const warmupSlices = 3;

/** @param repeats Number of pairs; the second half starts with the other side. */
export async function measurePair(
  { what, ours, theirs }: Pair,
  repeats: number,
): Promise<PairResult> {
  for (let i = 0; i < warmupSlices; i++) {
    await slice(ours);
    await slice(theirs);
  }
  const pairs: [number, number][] = [];
  for (let i = 0; i < repeats; i++) {
    if (i % 2 === 0) {
      const own = await slice(ours);
      pairs.push([own, await slice(theirs)]);
    } else {
      const other = await slice(theirs);
      pairs.push([await slice(ours), other]);
    }
  }
  return resultOf(what, pairs);
}

/** @param pairs Microseconds of Spillway and of the library. */
export function resultOf(what: string, pairs: readonly (readonly [number, number])[]): PairResult {
  const ratios = pairs.map(([own, other]) => own / other);
  return {
    what,
    oursMicros: quantile(
      pairs.map(([own]) => own),
      0.5,
    ),
    theirsMicros: quantile(
      pairs.map(([, other]) => other),
      0.5,
    ),
    ratio: [quantile(ratios, 0.5), quantile(ratios, 0.1), quantile(ratios, 0.9)],
  };
}

export function tableOf(name: string, results: readonly PairResult[]): string {
  const digits = (value: number) => value.toPrecision(3).replace(/e\+\d+$/, (e) => e);
  const micros = (value: number) =>
    value >= 1000 ? value.toFixed(0) : String(Number(digits(value)));
  return [
    `| operation | Spillway, µs | ${name}, µs | Spillway / ${name} | 10 % to 90 % |`,
    '| --- | --- | --- | --- | --- |',
    ...results.map(({ what, oursMicros, theirsMicros, ratio: [median, low, high] }) =>
      [
        ...['', what, micros(oursMicros), micros(theirsMicros), median.toFixed(2)],
        ...[`${low.toFixed(2)} to ${high.toFixed(2)}`, ''],
      ]
        .join(' | ')
        .trim(),
    ),
  ].join('\n');
}

/** Runs it for a slice of time. @returns Microseconds of CPU time per call. */
async function slice(run: () => unknown): Promise<number> {
  const startCpu = process.cpuUsage();
  const endMs = performance.now() + sliceMs;
  let calls = 0;
  do {
    for (let i = 0; i < 8; i++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
    calls += 8;
  } while (performance.now() < endMs);
  const { user, system } = process.cpuUsage(startCpu);
  return (user + system) / calls;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  return low + ((sorted[Math.ceil(at)] as number) - low) * (at - Math.floor(at));
}
