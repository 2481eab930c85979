// Where the simulation does not see what the rules say of offload: both in one line, and what would have to change.
import type { Decision } from '../../core/plan/index.ts';
import { change, percent } from './figures.ts';
import type { Gain } from './plan.ts';

export interface OffloadFigures {
  readonly gains: { readonly native: Gain; readonly lmcache: Gain };
  /** Of the prompts' tokens, the share found in a cache or a tier. */
  readonly hitRates: { readonly none: number; readonly native: number; readonly lmcache: number };
  /** What is asked for again, over HBM's KV cache. */
  readonly workingSet: number;
  /** Of what is asked for again, the share that the host memory of all engines holds. */
  readonly hostShareOfSet: number;
}

/** Gains within this of nothing count as none. */
const gainMin = 0.01;
/** More prompt tokens found than this is something that a tier gives. */
const hitGainMin = 0.05;

/** Undefined where rules and simulation agree. */
export function disagreementOf(
  { kvOffload }: Pick<Decision, 'kvOffload'>,
  figures: OffloadFigures,
): string | undefined {
  const { gains, workingSet } = figures;
  const brings = (gain: Gain) => change(gain.throughput.mean);
  if (kvOffload !== 'none') {
    const gain = gains[kvOffload];
    if (gain.throughput.mean > gainMin || gain.ttft.mean < -0.1) return undefined;
    return (
      `The rules say ${kvOffload}; simulated, it brings ${brings(gain)} tokens/s and ${change(gain.ttft.mean)} TTFT over none, ` +
      whyNot(kvOffload, figures)
    );
  }
  const best = gains.native.throughput.mean >= gains.lmcache.throughput.mean ? 'native' : 'lmcache';
  const gain = gains[best];
  if (gain.throughput.low <= gainMin) return undefined;
  return (
    `The rules say no offload; simulated, ${best} brings ${brings(gain)} tokens/s, since the working set is ` +
    `${percent(workingSet)} of HBM's KV cache. The rules would choose it with shared prefixes or preemptions reported.`
  );
}

function whyNot(
  kind: 'native' | 'lmcache',
  { hitRates, workingSet, hostShareOfSet }: OffloadFigures,
): string {
  const set = `the working set is ${percent(workingSet)} of HBM's KV cache`;
  if (workingSet <= 1) {
    return `since ${set}. It would pay with more shared prefixes, longer prompts or fewer engines, once the set is well beyond 100 %.`;
  }
  const found = `${percent(hitRates[kind])} of the prompts' tokens are found for ${percent(hitRates.none)} without`;
  if (hitRates[kind] - hitRates.none >= hitGainMin) {
    return `although ${set}: ${found}, but reading them saves no more than it costs. It would pay with longer shared beginnings or a larger model, whose tokens take longer to compute.`;
  }
  return (
    `although ${set}: ${found}, and the engines' host memory holds ${percent(hostShareOfSet)} of the set. It would pay if more of it ` +
    'were asked for again before it is let go: with fewer shared prefixes or, where it holds little, more host memory (operations.hostDramGiB).'
  );
}
