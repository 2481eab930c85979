// What the benchmarks on the Mooncake conversation trace begin with: numbers from the command line, seeds, the trace, and a part of it
// for each seed.
import { parseArgs } from 'node:util';
import type { SimulatedRequest } from '../src/core/simulation/index.ts';
import { loadTrace } from '../src/io/traces/index.ts';

const traceFile = 'bench/data/mooncake-conversation.jsonl.gz';

/**
 * Reads the trace and the options.
 *
 * @param defaults Options with a number each; `seeds` is the number of seeds.
 * @example const { seeds, numbers, trace } = await mooncakeRuns({ seeds: 3, requests: 4000 });
 */
export async function mooncakeRuns<Name extends string>(
  defaults: Readonly<Record<Name | 'seeds', number>>,
) {
  const { values } = parseArgs({
    options: Object.fromEntries(
      Object.entries<number>(defaults).map(([name, value]) => [
        name,
        { type: 'string' as const, default: String(value) },
      ]),
    ),
  });
  const numbers = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Number(value)]),
  ) as Readonly<Record<Name | 'seeds', number>>;
  return {
    numbers,
    seeds: Array.from({ length: numbers.seeds }, (_, i) => i + 1),
    trace: await loadTrace(traceFile),
  };
}

/**
 * The requests of one seed: each seed has another part, and together they span all of them.
 *
 * @param seed From 1 to `seedCount`.
 * @returns `count` requests, the first of which arrives at 0 s.
 */
export function partOf(
  requests: readonly SimulatedRequest[],
  { seed, seedCount, count }: { seed: number; seedCount: number; count: number },
): SimulatedRequest[] {
  const spread = (requests.length - count) / Math.max(1, seedCount - 1);
  const start = Math.floor((seed - 1) * spread);
  const part = requests.slice(start, start + count);
  const from = part[0]?.arrivalSeconds ?? 0;
  return part.map((one) => ({ ...one, arrivalSeconds: one.arrivalSeconds - from }));
}
