// Compares where an engine saturates, measured and predicted: with more clients than its batch
// holds, some wait.
import type { PointPrediction, PointRow } from '../../src/tools/simulate-points/index.ts';

interface Answer {
  readonly point: PointRow;
  readonly predicted: PointPrediction;
}

/** A TTFT above this means waiting, if no smaller number of clients shows otherwise. */
const lateTtftMs = 3000;
/**
 * Otherwise, clients wait from the point where the TTFT grows by more than this factor relative to
 * the clients (prompts computed one after the other make it grow at most as fast) and exceeds that
 * limit, or this share of the whole response: one of three equal points may be off by a second.
 */
const growthMax = 1.25;
const ttftShareMin = 0.05;

/**
 * Lines of the report: the number of points on the right side of the knee, and those on the wrong
 * side.
 */
export function kneeReport(answers: readonly Answer[]): string[] {
  const series = [...Map.groupBy(answers, ({ point }) => seriesOf(point)).values()].map((members) =>
    members.toSorted((a, b) => a.point.clients - b.point.clients),
  );
  const judged = series.flatMap((members) => {
    const measured = measuredKnee(members);
    return members.map((answer) => ({
      ...answer,
      measured: answer.point.clients >= measured,
      isRight: answer.point.clients >= measured === answer.predicted.saturated,
    }));
  });
  const beyond = judged.filter(({ measured }) => measured);
  const wrong = judged.filter(({ isRight }) => !isRight);
  const late = answers.filter(({ point }) => (point.measuredTtftMs ?? 0) >= lateTtftMs);
  const knees = series.filter((members) => Number.isFinite(measuredKnee(members)));
  const same = knees.filter((members) => predictedKnee(members) === measuredKnee(members)).length;
  return [
    `beyond the knee by measurement: ${beyond.length} points, predicted so: ` +
      `${beyond.filter(({ isRight }) => isRight).length}; below it: ${judged.length - beyond.length}, predicted beyond: ` +
      `${wrong.filter(({ measured }) => !measured).length}`,
    `with a TTFT of 3 s and more: ${late.length}, predicted saturated: ` +
      `${late.filter(({ predicted }) => predicted.saturated).length}`,
    `knees: ${knees.length} series have one; predicted at the same number of clients ${same}`,
    ...wrong.map(({ point, predicted, measured }) => {
      const ms = (value: number | undefined) => `${Math.round(value ?? NaN)} ms`;
      return (
        `  wrong: ${point.group} ${point.version} ${point.promptTokens}/${point.outputTokens} × ` +
        `${point.clients} clients: ${measured ? 'beyond' : 'below'}, TTFT ${ms(point.measuredTtftMs)}, predicted ` +
        `${ms(predicted.ttftMs)}`
      );
    }),
  ];
}

function seriesOf(point: PointRow): string {
  const { group, version, promptTokens, outputTokens } = point;
  return [group, version, promptTokens, outputTokens].join(' ');
}

/** The smallest number of clients at which some wait; infinite if none do. */
function measuredKnee(members: readonly Answer[]): number {
  const found = members.find(({ point }, i) => {
    const { measuredTtftMs = 0, measuredTpotMs = 0, outputTokens, clients } = point;
    const isLate = measuredTtftMs >= lateTtftMs;
    const before = members.slice(0, i).findLast((other) => other.point.clients < clients);
    if (before === undefined) return isLate;
    const grown = measuredTtftMs / (before.point.measuredTtftMs ?? NaN);
    const share = measuredTtftMs / (measuredTtftMs + measuredTpotMs * outputTokens);
    const isMuch = isLate || share >= ttftShareMin;
    return isMuch && grown > (growthMax * clients) / before.point.clients;
  });
  return found?.point.clients ?? Number.POSITIVE_INFINITY;
}

function predictedKnee(members: readonly Answer[]): number {
  const found = members.find(({ predicted }) => predicted.saturated);
  return found?.point.clients ?? Number.POSITIVE_INFINITY;
}
