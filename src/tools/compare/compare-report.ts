// Formats a comparison as text and as JSON.
import { counted } from '../../core/base/index.ts';
import { comparedLatencies, latencyLabels } from '../../core/comparison/index.ts';
import { textTable } from '../report/index.ts';
import type { CompareOptions, CompareOutcome, Side } from './run-compare.ts';

/** Returns the report: the verdict first, then the figures. */
export function compareText(options: CompareOptions, outcome: CompareOutcome): string {
  const { comparison, blockRequests, seconds } = outcome;
  const { verdict, reason, latencies, failures, requests, pairs, warnings } = comparison;
  const rows = comparedLatencies.flatMap((name) => {
    const effect = latencies[name];
    if (effect === undefined) return [];
    const { a, b, ratio, low, high, p } = effect;
    const interval = `${low.toFixed(3)} to ${high.toFixed(3)}`;
    return [
      [latencyLabels[name], a.toFixed(2), b.toFixed(2), ratio.toFixed(3), interval, pText(p)],
    ];
  });
  const table = { head: ['milliseconds', 'A', 'B', 'B / A', '95 % interval', 'p'], rows };
  const detect = (100 * options.limits.detect).toFixed(0);
  return [
    `${verdict[0]?.toUpperCase()}${verdict.slice(1)}: ${reason}`,
    ...(outcome.gone === undefined
      ? []
      : [`${outcome.gone.toUpperCase()} refused connections; the comparison ended there.`]),
    '',
    `A  ${options.a.url.href}  ${outcome.models.a}`,
    `B  ${options.b.url.href}  ${outcome.models.b}`,
    '',
    textTable(table, { gap: 2, widthsMin: [12, 9, 9] }),
    '',
    `failed     A ${failures.a} of ${requests.a}, B ${failures.b} of ${requests.b} requests (p ${pText(failures.p)})`,
    `blocks     ${counted(pairs, 'pair')} of ${counted(blockRequests, 'request')} to each server, in ${seconds.toFixed(0)} s`,
    ...(comparison.pairsNeeded === undefined
      ? []
      : [
          `precision  ${comparison.pairsNeeded} pairs show a difference of ${detect} % in E2E four times of five (--detect, --blocks)`,
        ]),
    ...warnings.map((warning) => `WARNING    ${warning}`),
    '',
  ].join('\n');
}

/** Returns the comparison as JSON. */
export function compareJson(
  options: CompareOptions,
  outcome: CompareOutcome,
): Record<string, unknown> {
  const { comparison, gone } = outcome;
  return {
    verdict: comparison.verdict,
    reason: comparison.reason,
    a: sideJson(options, outcome, 'a'),
    b: sideJson(options, outcome, 'b'),
    latencies: Object.fromEntries(
      comparedLatencies.map((name) => {
        const effect = comparison.latencies[name];
        if (effect === undefined) return [name, null];
        const { a, b, ratio, low, high, p } = effect;
        const bounds = { low: finiteOrNull(low), high: finiteOrNull(high) };
        return [name, { mean_a_ms: a, mean_b_ms: b, ratio, ...bounds, p }];
      }),
    ),
    failures_p: comparison.failures.p,
    pairs: comparison.pairs,
    pairs_needed: comparison.pairsNeeded ?? null,
    block_requests: outcome.blockRequests,
    detect: options.limits.detect,
    tolerance: options.limits.tolerance,
    seed: options.seed,
    seconds: outcome.seconds,
    interrupted: outcome.isPartial,
    gone: gone ?? null,
    warnings: comparison.warnings,
  };
}

function sideJson(options: CompareOptions, { models, comparison }: CompareOutcome, side: Side) {
  return {
    url: options[side].url.href,
    model: models[side],
    requests: comparison.requests[side],
    failed: comparison.failures[side],
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function pText(p: number): string {
  return p < 0.001 ? '<0.001' : p.toFixed(3);
}
