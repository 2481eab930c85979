// The verdict on two servers that got the same load in turns.
import { counted, type Random } from '../base/index.ts';
import { type LatencyName, latenciesOf, type RequestRecord } from '../stats/index.ts';
import {
  bootstrapInterval,
  fisherP,
  holmAdjusted,
  mean,
  pairsMinFor,
  pairsNeeded,
  signFlipP,
  significance,
} from './paired-test.ts';

/** Latencies that are compared; ITL says nothing that TPOT does not. */
export const comparedLatencies = ['ttft', 'tpot', 'e2el'] as const satisfies readonly LatencyName[];
export type ComparedLatency = (typeof comparedLatencies)[number];

/** Tests that share the significance: the latencies and the failures. */
const tests = comparedLatencies.length + 1;

/** The latencies of one complete response, milliseconds from the time at which its request was due. */
export type ResponseLatencies = Readonly<Partial<Record<ComparedLatency, number | undefined>>>;

/** Requests of one block that one server got. */
export interface Block {
  /** Number of requests that were to be sent. */
  readonly planned: number;
  readonly sent: number;
  readonly failed: number;
  /** Means of the complete responses, milliseconds; undefined where none has the latency. */
  readonly means: Readonly<Record<ComparedLatency, number | undefined>>;
}

/**
 * Sums up a block.
 *
 * @param responses One per request that was sent; undefined for one that failed.
 * @param planned Number of requests that were to be sent.
 */
export function blockOf(
  responses: readonly (ResponseLatencies | undefined)[],
  planned: number,
): Block {
  const complete = responses.filter((one) => one !== undefined);
  const meanOf = (name: ComparedLatency) => {
    const values = complete.flatMap(({ [name]: value }) => (value === undefined ? [] : [value]));
    return values.length === 0 ? undefined : mean(values);
  };
  return {
    planned,
    sent: responses.length,
    failed: responses.length - complete.length,
    means: { ttft: meanOf('ttft'), tpot: meanOf('tpot'), e2el: meanOf('e2el') },
  };
}

/** Returns the latencies of a response for {@link blockOf}. */
export function comparedLatenciesOf(record: RequestRecord): ResponseLatencies | undefined {
  if (record.error !== undefined) return undefined;
  const { ttftSeconds, tpotSeconds, e2eSeconds } = latenciesOf(record, 'scheduled');
  return {
    ttft: 1000 * ttftSeconds,
    tpot: tpotSeconds === undefined ? undefined : 1000 * tpotSeconds,
    e2el: 1000 * e2eSeconds,
  };
}

/** A block of A and the block of B with the same requests. */
export interface BlockPair {
  readonly a: Block;
  readonly b: Block;
}

/** What counts as a difference. */
export interface ComparisonLimits {
  /** Relative difference that has to be found if it is there, e.g. 0.1 for 10 %. */
  readonly detect: number;
  /** Relative difference up to which B counts as equal even if it is significant. */
  readonly tolerance: number;
}

export type Verdict = 'better' | 'worse' | 'no difference' | 'not enough data';

/** B against A in one latency. */
export interface LatencyEffect {
  /** Means over the blocks, milliseconds. */
  readonly a: number;
  readonly b: number;
  /** B / A, as the geometric mean over the pairs; above 1, B is slower. */
  readonly ratio: number;
  /** 95 % interval of the ratio. */
  readonly low: number;
  readonly high: number;
  /** Of the permutation test, adjusted for the number of tests. */
  readonly p: number;
}

export interface Comparison {
  readonly verdict: Verdict;
  /** The verdict in a sentence. */
  readonly reason: string;
  /** Undefined where no pair of blocks has the latency on both sides. */
  readonly latencies: Readonly<Record<ComparedLatency, LatencyEffect | undefined>>;
  readonly failures: { readonly a: number; readonly b: number; readonly p: number };
  readonly requests: { readonly a: number; readonly b: number };
  readonly pairs: number;
  /** Pairs that find a difference of `detect` in E2E with 80 % probability; undefined for fewer than two. */
  readonly pairsNeeded: number | undefined;
  /** Things that make the comparison doubtful, as sentences. */
  readonly warnings: readonly string[];
}

/** A trend this improbable, or a ratio of sent requests, is reported. */
const alarm = 0.001;

/**
 * Compares B with A.
 *
 * @param pairs In the order in which they were measured.
 * @param random Of the permutation test and the bootstrap.
 * @example compareBlocks(pairs, { detect: 0.1, tolerance: 0.02 }, seededRandom(1)).verdict; // 'worse'
 */
export function compareBlocks(
  pairs: readonly BlockPair[],
  limits: ComparisonLimits,
  random: Random,
): Comparison {
  const latencies = comparedLatencies.map((name) => logRatios(pairs, name));
  const counts = { a: countsOf(pairs.map(({ a }) => a)), b: countsOf(pairs.map(({ b }) => b)) };
  const p = holmAdjusted([
    ...latencies.map(({ logs }) => (logs.length < 2 ? 1 : signFlipP(logs, random))),
    fisherP([counts.a.failed, counts.b.failed], [counts.a.sent, counts.b.sent]),
  ]);
  const effects = latencies.map((of, index) => effectOf(of, p[index] as number, random));
  const named = Object.fromEntries(
    comparedLatencies.map((name, i) => [name, effects[i]]),
  ) as Record<ComparedLatency, LatencyEffect | undefined>;
  const e2e = latencies[2] as LogRatios;
  const figures = {
    latencies: named,
    failures: { a: counts.a.failed, b: counts.b.failed, p: p.at(-1) as number },
    requests: { a: counts.a.sent, b: counts.b.sent },
    pairs: e2e.logs.length,
    pairsNeeded:
      e2e.logs.length < 2 ? undefined : pairsNeeded(e2e.logs, Math.log1p(limits.detect), tests),
    warnings: [...imbalance(counts), ...drift(e2e.logs, random)],
  };
  return { ...verdictOf(figures, counts, limits), ...figures };
}

/** The fewest pairs of blocks that a verdict needs. */
export const pairsMin = pairsMinFor(tests);

function verdictOf(
  figures: Pick<Comparison, 'latencies' | 'failures' | 'pairs' | 'pairsNeeded'>,
  counts: Counts,
  { detect, tolerance }: ComparisonLimits,
): Pick<Comparison, 'verdict' | 'reason'> {
  const { latencies, failures, pairs } = figures;
  const shares = [counts.a, counts.b].map(({ failed, sent }) => failed / Math.max(1, sent));
  if (failures.p <= significance && (shares[1] as number) > (shares[0] as number)) {
    return {
      verdict: 'worse',
      reason: `B fails ${percentText(shares[1])} of requests, A ${percentText(shares[0])}.`,
    };
  }
  if (pairs < pairsMin) {
    return {
      verdict: 'not enough data',
      reason: `${counted(pairs, 'pair')} of blocks ${pairs === 1 ? 'has' : 'have'} complete responses of both servers; a verdict needs ${pairsMin}.`,
    };
  }
  const significant = comparedLatencies.flatMap((name) => {
    const effect = latencies[name];
    return effect !== undefined && effect.p <= significance ? [{ name, ...effect }] : [];
  });
  const slower = significant.filter(({ ratio }) => ratio > 1 + tolerance);
  if (slower.length > 0)
    return { verdict: 'worse', reason: `B is slower: ${effectTexts(slower)}.` };
  const faster = significant.filter(({ ratio }) => ratio < 1 - tolerance);
  if (faster.length > 0) {
    return { verdict: 'better', reason: `B is faster: ${effectTexts(faster)}.` };
  }
  const e2e = latencies.e2el as LatencyEffect;
  const largest = Math.max(e2e.high - 1, 1 - e2e.low);
  if (e2e.high <= 1 + detect) {
    return {
      verdict: 'no difference',
      reason: `The end-to-end latency differs by no more than ${percentText(largest)}.`,
    };
  }
  return {
    verdict: 'not enough data',
    reason: `The end-to-end latency of B may be ${percentText(e2e.high - 1)} higher, and ${percentText(detect)} was to be found: that takes about ${figures.pairsNeeded} pairs of blocks instead of ${pairs}.`,
  };
}

function effectTexts(effects: readonly (LatencyEffect & { readonly name: string })[]): string {
  return effects
    .map(
      ({ name, ratio, low, high }) =>
        `${latencyLabels[name as ComparedLatency]} ${signed(ratio)} (${signed(low)} to ${signed(high)})`,
    )
    .join(', ');
}

/** Names of the latencies for people. */
export const latencyLabels: Readonly<Record<ComparedLatency, string>> = {
  ...{ ttft: 'TTFT', tpot: 'TPOT', e2el: 'E2E' },
};

function signed(ratio: number): string {
  return `${ratio >= 1 ? '+' : '−'}${percentText(Math.abs(ratio - 1))}`;
}

function percentText(share: number | undefined): string {
  const percent = 100 * (share ?? Number.NaN);
  return `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

interface LogRatios {
  /** ln(B / A) of each pair. */
  readonly logs: readonly number[];
  /** Means of the blocks, milliseconds. */
  readonly a: readonly number[];
  readonly b: readonly number[];
}

function logRatios(pairs: readonly BlockPair[], name: ComparedLatency): LogRatios {
  const values = pairs.flatMap((pair) => {
    const [a, b] = [pair.a.means[name], pair.b.means[name]];
    return a !== undefined && b !== undefined && a > 0 && b > 0 ? [{ a, b }] : [];
  });
  return {
    logs: values.map(({ a, b }) => Math.log(b / a)),
    a: values.map(({ a }) => a),
    b: values.map(({ b }) => b),
  };
}

function effectOf({ logs, a, b }: LogRatios, p: number, random: Random): LatencyEffect | undefined {
  if (logs.length === 0) return undefined;
  const center = mean(logs);
  const { low, high } =
    logs.length < 2
      ? { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
      : bootstrapInterval(logs, random);
  return {
    a: mean(a),
    b: mean(b),
    ratio: Math.exp(center),
    low: Math.exp(low),
    high: Math.exp(high),
    p,
  };
}

interface Counts {
  readonly a: { readonly sent: number; readonly failed: number; readonly planned: number };
  readonly b: { readonly sent: number; readonly failed: number; readonly planned: number };
}

function countsOf(blocks: readonly Block[]): Counts['a'] {
  const total = (key: 'sent' | 'failed' | 'planned') =>
    blocks.reduce((sum, block) => sum + block[key], 0);
  return { sent: total('sent'), failed: total('failed'), planned: total('planned') };
}

/** Sample-ratio mismatch: the servers should have got equally many requests. */
function imbalance({ a, b }: Counts): string[] {
  const p = fisherP([a.planned - a.sent, b.planned - b.sent], [a.planned, b.planned]);
  return p < alarm
    ? [
        `A got ${a.sent} of ${a.planned} requests, B ${b.sent} of ${b.planned}: the samples are not alike.`,
      ]
    : [];
}

/** A trend of B / A over the pairs: something other than the servers changed. */
function drift(logs: readonly number[], random: Random): string[] {
  if (logs.length < pairsMin) return [];
  const middle = (logs.length - 1) / 2;
  const center = mean(logs);
  const slope = logs.map((log, i) => (log - center) * (i - middle));
  return signFlipP(slope, random) < alarm * 10
    ? [
        'The ratio of B to A changed during the run: repeat it when nothing else happens on the machines.',
      ]
    : [];
}
