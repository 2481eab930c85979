// Formats a comparison as text and as JSON.
import { counted } from '../../core/base/index.ts';
import {
  type Comparison,
  type ComparisonLimits,
  comparedLatencies,
  latencyLabels,
} from '../../core/comparison/index.ts';
import { textTable } from '../report/index.ts';

/** A finished comparison with what its report names. */
export interface ComparedView {
  readonly a: ComparedSide;
  readonly b: ComparedSide;
  readonly comparison: Comparison;
  readonly limits: ComparisonLimits;
  /** Requests of each block. */
  readonly blockRequests: number;
  readonly seed: number;
  /** How long it took; undefined for saved runs. */
  readonly seconds: number | undefined;
  readonly isPartial: boolean;
  /** Since when the history is worse, as a sentence. */
  readonly since?: string | undefined;
  /** The server that refused too many connections in a row. */
  readonly gone: 'a' | 'b' | undefined;
}

export interface ComparedSide {
  /** URL, values file or folder of a run. */
  readonly name: string;
  readonly model: string;
  /** The same for programs, such as `url` or `run`. */
  readonly origin: Readonly<Record<string, unknown>>;
}

/** Returns the report: the verdict first, then the figures. */
export function compareText(view: ComparedView): string {
  const { comparison, blockRequests, seconds, gone } = view;
  const { verdict, reason, latencies, failures, requests, pairs, warnings } = comparison;
  const rows = comparedLatencies.flatMap((name) => {
    const effect = latencies[name];
    if (effect === undefined) return [];
    const { a, b, ratio, low, high, p } = effect;
    // A single pair of blocks has no interval.
    const interval = Number.isFinite(high) ? `${low.toFixed(3)} to ${high.toFixed(3)}` : '-';
    return [
      [latencyLabels[name], a.toFixed(2), b.toFixed(2), ratio.toFixed(3), interval, pText(p)],
    ];
  });
  const table = { head: ['milliseconds', 'A', 'B', 'B / A', '95 % interval', 'p'], rows };
  const detect = (100 * view.limits.detect).toFixed(0);
  return [
    `${verdict[0]?.toUpperCase()}${verdict.slice(1)}: ${reason}`,
    ...(gone === undefined
      ? []
      : [`${gone.toUpperCase()} refused connections; the comparison ended there.`]),
    '',
    `A  ${view.a.name}  ${view.a.model}`,
    `B  ${view.b.name}  ${view.b.model}`,
    '',
    textTable(table, { gap: 2, widthsMin: [12, 9, 9] }),
    '',
    `failed     A ${failures.a} of ${requests.a}, B ${failures.b} of ${requests.b} requests (p ${pText(failures.p)})`,
    `blocks     ${counted(pairs, 'pair')} of ${counted(blockRequests, 'request')} to each server, ${seconds === undefined ? 'from saved runs' : `in ${seconds.toFixed(0)} s`}`,
    ...(comparison.pairsNeeded === undefined
      ? []
      : [
          `precision  ${comparison.pairsNeeded} pairs show a difference of ${detect} % in E2E four times of five (--detect, --blocks)`,
        ]),
    ...(view.since === undefined ? [] : [`since      ${view.since}`]),
    ...warnings.map((warning) => `WARNING    ${warning}`),
    '',
  ].join('\n');
}

/** Returns the comparison as JSON. */
export function compareJson(view: ComparedView): Record<string, unknown> {
  const { comparison, gone } = view;
  return {
    verdict: comparison.verdict,
    reason: comparison.reason,
    a: sideJson(view, 'a'),
    b: sideJson(view, 'b'),
    latencies: Object.fromEntries(
      comparedLatencies.map((name) => {
        const effect = comparison.latencies[name];
        if (effect === undefined) return [name, null];
        const { a, b, ratio, low, high, p } = effect;
        const bounds = Number.isFinite(high) ? { low, high } : { low: null, high: null };
        return [name, { mean_a_ms: a, mean_b_ms: b, ratio, ...bounds, p }];
      }),
    ),
    failures_p: comparison.failures.p,
    pairs: comparison.pairs,
    pairs_needed: comparison.pairsNeeded ?? null,
    block_requests: view.blockRequests,
    detect: view.limits.detect,
    tolerance: view.limits.tolerance,
    seed: view.seed,
    seconds: view.seconds ?? null,
    interrupted: view.isPartial,
    gone: gone ?? null,
    warnings: comparison.warnings,
  };
}

function sideJson(view: ComparedView, side: 'a' | 'b') {
  const { model, origin } = view[side];
  const { requests, failures } = view.comparison;
  return { ...origin, model, requests: requests[side], failed: failures[side] };
}

function pText(p: number): string {
  return p < 0.001 ? '<0.001' : p.toFixed(3);
}
