// Values of a plan's input that contradict each other.
import type { PlanInput } from './input.ts';

export interface Contradiction {
  /** Path of the value that contradicts another one. */
  readonly path: readonly string[];
  readonly sentence: string;
}

/** Finds contradictions that no interpretation resolves; where one does, the plan assumes it and says so. */
export function contradictions({ workload }: PlanInput): Contradiction[] {
  const { requestsPerSecond: mean, peakRequestsPerSecond: peak } = workload;
  const rates: Contradiction[] =
    mean !== undefined && peak !== undefined && peak < mean
      ? [
          {
            path: ['workload', 'peakRequestsPerSecond'],
            sentence: `workload.peakRequestsPerSecond is ${peak}, below the average of ${mean} in requestsPerSecond; the peak must be at least the average`,
          },
        ]
      : [];
  return [
    ...lengthContradictions('promptTokens', workload.promptTokens),
    ...lengthContradictions('outputTokens', workload.outputTokens),
    ...rates,
  ];
}

/** Each name is at most the one to its right. A mean may exceed a p95, but not the maximum. */
const orders = [
  ['p50', 'p95', 'max'],
  ['mean', 'max'],
] as const;

function lengthContradictions(key: string, lengths: unknown): Contradiction[] {
  if (typeof lengths !== 'object' || lengths === null) return [];
  const given = lengths as Readonly<Record<string, number | undefined>>;
  return orders.flatMap((order) => {
    const said = order.filter((name) => given[name] !== undefined);
    return said.slice(1).flatMap((name, i): Contradiction[] => {
      const lower = said[i] as string;
      if ((given[lower] as number) <= (given[name] as number)) return [];
      return [
        {
          path: ['workload', key, name],
          sentence: `workload.${key}.${name} is ${given[name]}, less than its ${lower} of ${given[lower]}; it must be at least that`,
        },
      ];
    });
  });
}
