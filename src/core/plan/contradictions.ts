// What a plan's input says twice, and differently.
import type { PlanInput } from './input.ts';

export interface Contradiction {
  /** Of the value that does not go with another. */
  readonly path: readonly string[];
  readonly sentence: string;
}

/** Only what no reading of the input can make sense of; what one can is assumed, and noted. */
export function contradictions({ workload }: PlanInput): Contradiction[] {
  const { requestsPerSecond: mean, peakRequestsPerSecond: peak } = workload;
  const rates: Contradiction[] =
    mean !== undefined && peak !== undefined && peak < mean
      ? [
          {
            path: ['workload', 'peakRequestsPerSecond'],
            sentence: `workload.peakRequestsPerSecond is ${peak}, below the average of ${mean} in requestsPerSecond; a peak is at least that`,
          },
        ]
      : [];
  return [
    ...lengthContradictions('promptTokens', workload.promptTokens),
    ...lengthContradictions('outputTokens', workload.outputTokens),
    ...rates,
  ];
}

/** Each is at most what stands right of it. A mean may lie above a p95, but not above the longest. */
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
          sentence: `workload.${key}.${name} is ${given[name]}, less than its ${lower} of ${given[lower]}; it is at least that`,
        },
      ];
    });
  });
}
