// Two results without a value per request: their figures side by side, and why there is no verdict.
import { InputError } from '../../core/base/index.ts';
import { textTable } from '../report/index.ts';
import { figureOf, loadOf, type RunFigure, runFigures, type SavedRun } from '../runs/index.ts';

/** The means, by which vLLM's users compare. */
const means: readonly RunFigure[] = (['ttft', 'tpot', 'e2el'] as const).map((name) => ({
  key: `mean_${name}_ms`,
  name: `${name === 'e2el' ? 'E2E' : name.toUpperCase()} mean`,
  unit: 'ms',
  isBetterUp: false,
}));

/** Two results, compared by their summaries. */
export interface SummaryComparison {
  readonly a: SavedRun;
  readonly b: SavedRun;
  readonly figures: readonly SummaryFigure[];
  readonly warnings: readonly string[];
}

interface SummaryFigure {
  readonly key: string;
  readonly name: string;
  readonly a: number;
  readonly b: number;
  /** Undefined where A is 0. */
  readonly ratio: number | undefined;
}

const reason =
  'the files have only summaries, from which the spread between requests is not known: measure with --save-detailed, which saves a value per request, or with spillway bench serve --run-dir.';

/** @throws {InputError} If they are not of the same load, or have no figure in common. */
export function compareSummaries(a: SavedRun, b: SavedRun): SummaryComparison {
  checkSameLoad(a, b);
  const figures = [...means, ...runFigures].flatMap((figure) => {
    const [left, right] = [figureOf(a, figure), figureOf(b, figure)];
    if (left === undefined || right === undefined) return [];
    const { key, name } = figure;
    return [{ key, name, a: left, b: right, ratio: left === 0 ? undefined : right / left }];
  });
  if (figures.length === 0) {
    throw new InputError(`${a.path} and ${b.path} have no figure in common.`);
  }
  return { a, b, figures, warnings: resultWarnings(a, b) };
}

/** @throws {InputError} If two results say that other loads were sent. */
function checkSameLoad(a: SavedRun, b: SavedRun): void {
  const [loadA, loadB] = [loadOf(a), loadOf(b)];
  if (loadA === loadB) return;
  throw new InputError(
    `${a.path} and ${b.path} are not results of the same load: "${loadA}" and "${loadB}". Measure both with the same flags.`,
  );
}

/** Returns what differs between the prompts of two results, and that they were measured one after another. */
export function resultWarnings(a: SavedRun, b: SavedRun): string[] {
  const warnings = ['total_input_tokens', 'total_output_tokens'].flatMap((key) => {
    const [left, right] = [a.result?.[key], b.result?.[key]];
    const what = key.includes('input') ? 'prompts' : 'responses';
    return left === right
      ? []
      : [
          `The ${what} have ${String(left)} tokens in A and ${String(right)} in B: the loads are not equal.`,
        ];
  });
  const [modelA, modelB] = [a.result?.['model_id'], b.result?.['model_id']];
  return modelA === modelB
    ? warnings
    : [...warnings, `The models differ: ${String(modelA)} and ${String(modelB)}.`];
}

/** Returns the comparison as text. */
export function summariesText({ a, b, figures, warnings }: SummaryComparison): string {
  const rows = figures.map(({ name, a: left, b: right, ratio }) => [
    name,
    left.toFixed(2),
    right.toFixed(2),
    ratio === undefined ? '-' : ratio.toFixed(3),
  ]);
  const named = ({ path, result }: SavedRun) => `${path}  ${String(result?.['model_id'] ?? '')}`;
  return [
    `Not enough data: ${reason}`,
    '',
    `A  ${named(a)}`,
    `B  ${named(b)}`,
    '',
    textTable({ head: ['', 'A', 'B', 'B / A'], rows }, { gap: 2, widthsMin: [16, 10, 10] }),
    '',
    ...warnings.map((warning) => `WARNING    ${warning}`),
    ...(warnings.length === 0 ? [] : ['']),
  ].join('\n');
}

/** Returns the comparison as JSON; latencies have no intervals. */
export function summariesJson({
  a,
  b,
  figures,
  warnings,
}: SummaryComparison): Record<string, unknown> {
  const side = ({ path, result, label, startedAt }: SavedRun) => ({
    ...{ result: path, model: result?.['model_id'] ?? null, label: label ?? null },
    started_at: startedAt,
  });
  return {
    verdict: 'not enough data',
    reason,
    a: side(a),
    b: side(b),
    figures: Object.fromEntries(
      figures.map(({ key, a: left, b: right, ratio }) => [
        key,
        { a: left, b: right, ratio: ratio ?? null },
      ]),
    ),
    warnings,
  };
}
