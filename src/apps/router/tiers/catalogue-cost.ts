// What a token of a model costs, from the catalogue. Loaded with the first control plane only: the catalogue is large.
import {
  activeParameters,
  findModel,
  guessModel,
  kvBytesPerToken,
  type ModelSpec,
} from '../../../core/engine/index.ts';
import type { ModelCost } from './tier-costs.ts';

/** Half of what an H100 has in bfloat16: 989 TFLOP/s. */
const flopsPerSecond = 0.5 * 989e12;

/** @returns Undefined if neither the catalogue nor the name tells the size of the model. */
export function catalogueCost(model: string): ModelCost | undefined {
  const spec = specOf(model);
  return (
    spec && {
      kvBytes: kvBytesPerToken(spec),
      computeSeconds: (2 * activeParameters(spec)) / flopsPerSecond,
    }
  );
}

function specOf(model: string): ModelSpec | undefined {
  try {
    return findModel(model);
  } catch {
    // Not in the catalogue.
    return guessModel(model);
  }
}
