// Claimed gains beside measured ones.
import { estimate } from '../../core/stats/index.ts';
import { textTable } from '../report/index.ts';
import { type ClaimMeasure, type ClaimRun, claims, type ShapeName, shapes } from './claims.ts';

/** Whether a claim holds: its least gain is below the whole interval, within it, or above it. */
export type ClaimVerdict = 'true' | 'open' | 'not true';

export interface ClaimRow {
  readonly sentence: string;
  readonly shape: ShapeName;
  readonly measure: ClaimMeasure;
  readonly claimed: readonly [least: number, most: number];
  /** Means over the runs. */
  readonly without: number;
  readonly with: number;
  /** How many times as fast or as much with sharing; geometric mean over the seeds, and its 95 % interval. */
  readonly gain: number;
  /** Null with one run of each side, which has no interval. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly verdict: ClaimVerdict;
}

const measureNames: Readonly<Record<ClaimMeasure, string>> = {
  ttftMs: 'TTFT, ms',
  e2eMs: 'E2E, ms',
  tokensPerSecond: 'output tokens/s',
};

/** Returns a row per claim, measure and shape that both sides have runs of. */
export function claimRows(runs: readonly ClaimRun[]): readonly ClaimRow[] {
  return claims.flatMap(({ sentence, measures, shapes: only, gain: claimed }) =>
    shapes
      .filter(({ name }) => only === undefined || only.includes(name))
      .flatMap(({ name: shape }) =>
        measures.flatMap((measure) => {
          const found = gainOf(runs, shape, measure);
          return found === undefined ? [] : [{ sentence, shape, measure, claimed, ...found }];
        }),
      )
      .map((row) => ({ ...row, verdict: verdictOf(row) })),
  );
}

/** Returns the rows as a table, with what fails. */
export function claimsText(runs: readonly ClaimRun[]): string {
  const rows = claimRows(runs);
  const table = {
    head: ['claim', 'load', 'measure', 'claimed', 'without', 'with', 'gain', 'verdict'],
    rows: rows.map((row, index) => [
      rows[index - 1]?.sentence === row.sentence ? '' : row.sentence,
      row.shape,
      measureNames[row.measure],
      row.claimed[0] === row.claimed[1]
        ? `${row.claimed[0]} ×`
        : `${row.claimed[0]} to ${row.claimed[1]} ×`,
      figure(row.without),
      figure(row.with),
      row.interval === null
        ? `${figure(row.gain)} ×`
        : `${figure(row.gain)} × (${row.interval.map(figure).join(' to ')})`,
      row.verdict,
    ]),
  };
  const failed = runs.reduce((sum, run) => sum + run.failed, 0);
  return [
    textTable(table, { isLeft: (column) => column < 3 }),
    ...(failed === 0 ? [] : [`WARNING  ${failed} requests failed and are not in the means.`]),
    '',
  ].join('\n');
}

function gainOf(runs: readonly ClaimRun[], shape: ShapeName, measure: ClaimMeasure) {
  const figuresOf = (shares: boolean) =>
    new Map(
      runs
        .filter((run) => run.shape === shape && run.shares === shares)
        .map(({ seed, figures }) => [seed, figures[measure]]),
    );
  const [before, after] = [figuresOf(false), figuresOf(true)];
  const seeds = [...before.keys()].filter((seed) => after.has(seed));
  const pairs = seeds.map((seed) => [before.get(seed), after.get(seed)] as [number, number]);
  if (pairs.length === 0) return undefined;
  const isMoreBetter = measure === 'tokensPerSecond';
  const { mean, low, high } = estimate(
    pairs.map(([without, shared]) => Math.log(isMoreBetter ? shared / without : without / shared)),
  );
  return {
    without: estimate(pairs.map(([without]) => without)).mean,
    with: estimate(pairs.map(([, shared]) => shared)).mean,
    gain: Math.exp(mean),
    interval: pairs.length < 2 ? null : ([Math.exp(low), Math.exp(high)] as const),
  };
}

function verdictOf({ claimed, gain, interval }: Omit<ClaimRow, 'verdict'>): ClaimVerdict {
  const [low, high] = interval ?? [gain, gain];
  if (low >= claimed[0]) return 'true';
  return high > claimed[0] ? 'open' : 'not true';
}

function figure(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
