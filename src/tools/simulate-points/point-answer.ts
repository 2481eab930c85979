// Prints a row of `spillway simulate points`: the prediction with its intervals, or why there is none.
import { InputError, LruMap } from '../../core/base/index.ts';
import {
  isMeasuredGpu,
  type ModelSpec,
  type PointCalibration,
  pointCalibration,
} from '../../core/engine/index.ts';
import {
  gpuOf,
  isGuessed,
  precisionOf,
  rowsPerExpert,
  servedModel,
  serverFlags,
  shapeOf,
} from './point-engine.ts';
import { type PointPrediction, predictPoint } from './points.ts';
import type { PointRow, UnreadablePoint } from './points-csv.ts';
import { sweptBatches } from './published-runs.ts';
import { waitingShareAtRandom } from './uneven-groups.ts';

/**
 * About 90 % of the measured points lie between these multiples of the prediction, by kind of model,
 * whether a point's group, its model or its GPU was left out of the fit: 88 to 95 % do, as
 * `npm run bench:truth` prints.
 */
export const pointIntervals = {
  dense: { ttft: [0.75, 1.67], tpot: [0.8, 1.43] },
  moe: { ttft: [0.78, 1.85], tpot: [0.85, 1.32] },
} as const;

/** Factor by which intervals are wider, each way, for a GPU without measurements. */
const unmeasuredGpuFactor = 1.25;
/**
 * The same factor for a model of a guessed shape. Guesses of the catalogue's dense models from one another are
 * within 12 % in the median and off by a factor of two at worst, because names do not contain the KV heads.
 */
const guessedFactor = 1.5;
/**
 * Factors of the computed KV cache that are simulated as well, and the share in use from which they are: near
 * the knee, its size decides whether clients wait.
 */
const kvFactors = [0.8, 1.25] as const;
const kvShareMatters = 0.7;

/** Returns one row as JSON: the input, and the prediction or, in `error`, why there is none. */
export function pointJson(point: PointRow | UnreadablePoint): Record<string, unknown> {
  if ('error' in point) {
    return { row: point.row, ...point.asked, ...noAnswer, error: point.error };
  }
  const asked = {
    row: point.row,
    system: point.system,
    model_path: point.model,
    precision: point.precision ?? null,
    tp_size: point.tensorParallelSize,
    attention_dp_size: point.attentionDataParallelSize,
    pp_size: point.pipelineParallelSize,
    dp_size: point.dataParallelSize,
    isl: point.promptTokens,
    osl: point.outputTokens,
    batch_size: point.clients,
  };
  try {
    const { predicted, ttft, tpot } = answerOf(point);
    const { source } = shapeOf(point);
    return {
      ...asked,
      precision: precisionOf(point),
      predicted_ttft_ms: predicted.ttftMs,
      ttft_interval_ms: ttft,
      predicted_tpot_ms: predicted.tpotMs,
      tpot_interval_ms: tpot,
      saturated: predicted.saturated,
      ...(isGuessed(point) && { note: `The model is not in the catalogue; ${source}.` }),
    };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ...asked, ...noAnswer, error: error.message };
  }
}

interface Answer {
  readonly predicted: PointPrediction;
  readonly ttft: readonly [number, number];
  readonly tpot: readonly [number, number];
}

/** Rows repeat: the 975 measured points, with several versions of vLLM, need 614 predictions. */
const answers = new LruMap<string, Answer>({ entriesMax: 10_000 });

function answerOf(point: PointRow): Answer {
  const { row, group, version, measuredTtftMs, measuredTpotMs, ...asked } = point;
  // Apart from `hasSymmetricMemory`, a version changes only these.
  const gpu = gpuOf(point);
  const { kvBytesPerValue } = servedModel(point, gpu);
  const key = JSON.stringify({
    ...{ ...asked, ...serverFlags(point, gpu), kvBytesPerValue },
    rowsPerExpert: rowsPerExpert(point, gpu),
  });
  const known = answers.get(key);
  if (known !== undefined) return known;
  const predicted = predictPoint(point);
  const answer = { predicted, ...intervalsOf(point, predicted) };
  answers.set(key, answer);
  return answer;
}

const noAnswer = {
  ...{ predicted_ttft_ms: null, ttft_interval_ms: null },
  ...{ predicted_tpot_ms: null, tpot_interval_ms: null, saturated: null },
};

/** Returns 90 % intervals in milliseconds. */
export function intervalsOf(
  point: PointRow,
  predicted: PointPrediction,
  calibration: PointCalibration = pointCalibration,
): Record<'ttft' | 'tpot', readonly [number, number]> {
  const shares = pointIntervals[kindOf(shapeOf(point))];
  const factor =
    (isMeasuredGpu(gpuOf(point), calibration) ? 1 : unmeasuredGpuFactor) *
    (isGuessed(point) ? guessedFactor : 1);
  const played = [
    predicted,
    ...otherCaches(point, predicted, calibration),
    ...otherBatches(point, calibration),
  ];
  const unevenMs = waitingShare(point) * predicted.tpotMs * point.outputTokens;
  const around = (values: readonly number[], [low, high]: readonly [number, number]) =>
    [(Math.min(...values) * low) / factor, Math.max(...values) * high * factor] as const;
  const [ttftLow, ttftHigh] = around(
    // Which requests wait is a matter of milliseconds: in one run it may be none.
    played.flatMap(({ ttftMs, groupWaitMs }) => [ttftMs, ttftMs - groupWaitMs]),
    shares.ttft,
  );
  return {
    ttft: [ttftLow, ttftHigh + unevenMs],
    tpot: around(
      played.map(({ tpotMs }) => tpotMs),
      shares.tpot,
    ),
  };
}

/**
 * The most clients that may wait at a full group while another has places, where a group has places only for its
 * share of the clients: aiconfigurator's rules for its own runs say so.
 */
function waitingShare({ load, clients, attentionDataParallelSize: groups }: PointRow): number {
  return load.isOwnRun ? waitingShareAtRandom(clients, groups, Math.ceil(clients / groups)) : 0;
}

/** Selects the intervals of a model's points. */
export function kindOf(model: ModelSpec): keyof typeof pointIntervals {
  return model.experts === undefined ? 'dense' : 'moe';
}

/** Simulates the point with a smaller and a larger KV cache where that matters. */
function otherCaches(
  point: PointRow,
  { kvShare }: PointPrediction,
  calibration: PointCalibration,
): PointPrediction[] {
  if (kvShare < kvShareMatters) return [];
  return kvFactors.flatMap((factor) => {
    try {
      return [predictPoint(point, calibration, { kvFactor: factor })];
    } catch (error) {
      // A smaller cache may not have space for one request.
      if (error instanceof InputError) return [];
      throw error;
    }
  });
}

/** Simulates the point with the smallest and the largest batch where the row does not tell it. */
function otherBatches(point: PointRow, calibration: PointCalibration): PointPrediction[] {
  if (!serverFlags(point, gpuOf(point)).isBatchUnknown) return [];
  const { least, most } = sweptBatches;
  return [least, most].map((batch) => predictPoint(point, calibration, { batch }));
}
