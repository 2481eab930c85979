// Compares measured points of real engines with `spillway simulate points`, each group predicted
// with constants fitted without it.
import {
  bareCheckpointName,
  type PointCalibration,
  pointCalibration,
  pointErrorShares,
} from '../../src/core/engine/index.ts';
import { percentile } from '../../src/core/stats/index.ts';
import {
  intervalsOf,
  kindOf,
  type PointPrediction,
  type PointRow,
  type pointIntervals,
  predictPoint,
  shapeOf,
} from '../../src/tools/simulate-points/index.ts';
import { type LinearFit, linearFit, solveFit, startOf } from './fit-points.ts';
import { kneeReport } from './knees.ts';

/** A point with this TTFT is beyond the knee by measurement: it is seconds of waiting. */
const saturatedTtftMs = 3000;

interface Answer {
  readonly point: PointRow;
  readonly predicted: PointPrediction;
  /** Fitted without the point. */
  readonly calibration: PointCalibration;
}

/** Fits from the start, `rounds` times, and returns the constants that are shipped. */
export function fitFromStart(rows: readonly PointRow[], rounds = 6): Record<string, number> {
  const points = distinct(rows);
  const start = startOf(pointCalibration);
  let calibration = { ...start };
  for (let i = 0; i < rounds; i++) calibration = solveFit(linearFit(points, calibration), start);
  return calibration;
}

/**
 * The report of the measured points. Equal rows of a file count once.
 *
 * @param smallModel Rows with a table of their own, which the fit uses as well.
 */
export function pointsReport(rows: readonly PointRow[], smallModel: readonly PointRow[]): string {
  const points = distinct(rows);
  const fit = linearFit([...points, ...distinct(smallModel)], pointCalibration);
  const start = startOf(pointCalibration);
  const groups = [...Map.groupBy(points, ({ group }) => group)].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const answers = groups.map(([group, members]) => {
    const calibration = solveFit(fit, start, (point) => point.group === group);
    return members.map((point) => answerOf(point, calibration));
  });
  const all = answers.flat();
  const heldOut = (of: (point: PointRow) => string): [string, Answer[]][] =>
    [...Map.groupBy(points, of)].sort().map(([name, members]) => {
      const calibration = solveFit(fit, start, (point) => of(point) === name);
      return [name, members.map((point) => answerOf(point, calibration))];
    });
  const byModel = heldOut(({ model }) => bareCheckpointName(model));
  const bySystem = heldOut(({ system }) => system);
  const meets = (which: 'tpot' | 'ttft', limit: number) =>
    answers.filter((group) => medianError(group, which) <= limit).length;
  const withoutModel = byModel.flatMap(([, answers]) => answers);
  const ways: [string, readonly Answer[]][] = [
    ['its group', all],
    ['its model', withoutModel],
    ['its GPU', bySystem.flatMap(([, answers]) => answers)],
  ];
  const kinds = (['dense', 'moe'] as const).flatMap((kind) => [
    `${kind}: 90 % of real / predicted without the model: TPOT ${range(ofKind(withoutModel, kind), 'tpot')}, TTFT ${range(ofKind(withoutModel, kind), 'ttft')}`,
    `${kind}: ${pointErrorShares.join(', ')} % of them: TPOT ${quantiles(ofKind(withoutModel, kind), 'tpot')}, TTFT ${quantiles(ofKind(withoutModel, kind), 'ttft')}`,
    ...ways.map(
      ([what, answers]) =>
        `${kind}: in the printed intervals, predicted without ${what}: TPOT ${covered(ofKind(answers, kind), 'tpot')}, TTFT ${covered(ofKind(answers, kind), 'ttft')}`,
    ),
  ]);
  return [
    'measured points below saturation, each group predicted without itself (median |error|, median error):',
    `${'system model precision tp dp moe_tp moe_ep'.padEnd(62)}points ${'TPOT'.padStart(14)} ${'TTFT'.padStart(16)}`,
    ...groups.map(([group], i) => line(group, answers[i] as Answer[])),
    line('all', all),
    `groups within the targets: ${meets('tpot', 0.12)} of ${groups.length} in TPOT, ${meets('ttft', 0.2)} in TTFT`,
    ...byModel.map(([name, answers]) => line(`without model ${name}`, answers)),
    ...bySystem.map(([name, answers]) => line(`without GPU ${name}`, answers)),
    ...kinds,
    ...kneeReport(all),
    ...smallModelReport(distinct(smallModel), fit, start),
  ].join('\n');
}

/** One line per point: predicted with constants that were fitted without its model. */
function smallModelReport(
  points: readonly PointRow[],
  fit: LinearFit,
  start: PointCalibration,
): string[] {
  const models = new Set(points.map(({ model }) => bareCheckpointName(model)));
  const isOfModel = ({ model }: PointRow) => models.has(bareCheckpointName(model));
  const predict = (without: (point: PointRow) => (other: PointRow) => boolean) => {
    const fits = new Map<string, PointCalibration>();
    return points.map((point) => {
      const calibration = fits.get(point.group) ?? solveFit(fit, start, without(point));
      fits.set(point.group, calibration);
      return answerOf(point, calibration);
    });
  };
  const withoutModel = predict(() => isOfModel);
  const withoutGroup = predict(
    ({ group }) =>
      (other) =>
        other.group === group,
  );
  const cell = (predicted: number, measured = NaN) =>
    `${predicted.toFixed(1).padStart(8)}${measured.toFixed(1).padStart(8)}${percent(predicted / measured - 1).padStart(9)}`;
  return [
    `a small model, ${[...models].join(', ')}, predicted without its points (predicted, measured, error):`,
    `${'tp prompt/output × clients'.padEnd(30)}${'TPOT, ms'.padStart(25)}${'TTFT, ms'.padStart(25)}`,
    ...withoutModel.map(({ point, predicted }) => {
      const { tensorParallelSize, promptTokens, outputTokens, clients } = point;
      const name = `${tensorParallelSize}  ${promptTokens}/${outputTokens} × ${clients}`;
      const tpot = cell(predicted.tpotMs, point.measuredTpotMs);
      return `${name.padEnd(30)}${tpot}${cell(predicted.ttftMs, point.measuredTtftMs)}`;
    }),
    line('without the model', withoutModel),
    line('without the group (tensor parallel degree)', withoutGroup),
    `in the printed intervals, without the model: TPOT ${covered(withoutModel, 'tpot')}, TTFT ${covered(withoutModel, 'ttft')}`,
  ];
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

function distinct(rows: readonly PointRow[]): PointRow[] {
  return [...new Map(rows.map((point) => [JSON.stringify({ ...point, row: 0 }), point])).values()];
}

/** Returns whether a point is below the knee by measurement and by prediction. */
function isBelow({ point, predicted }: Answer): boolean {
  return !predicted.saturated && (point.measuredTtftMs ?? 0) < saturatedTtftMs;
}

function ratios(answers: readonly Answer[], which: 'tpot' | 'ttft'): Float64Array {
  const ratio = ({ point, predicted }: Answer) =>
    which === 'tpot'
      ? (point.measuredTpotMs ?? NaN) / predicted.tpotMs
      : (point.measuredTtftMs ?? NaN) / predicted.ttftMs;
  return Float64Array.from(answers.filter(isBelow), ratio).sort();
}

function line(name: string, answers: readonly Answer[]): string {
  const cells = (['tpot', 'ttft'] as const).map((which) => {
    const errors = ratios(answers, which).map((ratio) => 1 / ratio - 1);
    if (errors.length === 0) return '–';
    const size = percentile(errors.map(Math.abs).sort(), 50);
    return `${percent(size)} ${percent(percentile(errors.sort(), 50)).padStart(8)}`;
  });
  const count = String(answers.filter(isBelow).length).padStart(6);
  return `${name.padEnd(62)}${count} ${cells[0]?.padStart(16)} ${cells[1]?.padStart(16)}`;
}

function medianError(answers: readonly Answer[], which: 'tpot' | 'ttft'): number {
  const errors = ratios(answers, which).map((ratio) => Math.abs(1 / ratio - 1));
  return errors.length === 0 ? Number.NaN : percentile(errors.sort(), 50);
}

function ofKind(answers: readonly Answer[], kind: keyof typeof pointIntervals): Answer[] {
  return answers.filter(({ point }) => kindOf(shapeOf(point)) === kind);
}

/**
 * Share of the points within their intervals; separately for those that are predicted saturated, and for those with a TTFT of
 * 3 s and more that are not.
 */
function covered(answers: readonly Answer[], which: 'tpot' | 'ttft'): string {
  const share = (some: readonly Answer[]) => {
    const inside = some.filter(({ point, predicted, calibration }) => {
      const [low, high] = intervalsOf(point, predicted, calibration)[which];
      const real = (which === 'tpot' ? point.measuredTpotMs : point.measuredTtftMs) ?? NaN;
      return real >= low && real <= high;
    });
    if (some.length === 0) return 'no point';
    return `${((100 * inside.length) / some.length).toFixed(0)} % of ${some.length}`;
  };
  const beyond = answers.filter((answer) => !isBelow(answer));
  if (beyond.length === 0) return share(answers);
  const known = beyond.filter(({ predicted }) => predicted.saturated);
  const late = beyond.filter(({ predicted }) => !predicted.saturated);
  return (
    `${share(answers.filter(isBelow))} (beyond saturation ${share(beyond)}: ` +
    `predicted so ${share(known)}, not predicted ${share(late)})`
  );
}

function answerOf(point: PointRow, calibration: PointCalibration): Answer {
  return { point, predicted: predictPoint(point, calibration), calibration };
}

function range(answers: readonly Answer[], which: 'tpot' | 'ttft'): string {
  const sorted = ratios(answers, which);
  return [5, 95].map((q) => percentile(sorted, q).toFixed(2)).join(' to ');
}

/** The errors from which the runs of a plan draw (src/core/engine/cost/point-errors.ts). */
function quantiles(answers: readonly Answer[], which: 'tpot' | 'ttft'): string {
  const sorted = ratios(answers, which);
  return pointErrorShares.map((q) => percentile(sorted, q).toFixed(2)).join(' ');
}
