// Where the step times of an engine come from.
import type { EngineConstants, StepCostModel } from '../engine/index.ts';

/**
 * - `calibrated`: the roofline with the built-in constants, fitted to measured serving points;
 * - `roofline`: the roofline with the catalogue's shares of the GPU's rates, which are older than
 *   those points; for figures that were published with it;
 * - `measured`: the roofline with the constants of one calibrated engine;
 * - `profile`: measured step times, of all layers on one group of GPUs.
 *
 * @see docs/decisions/0015-one-way-to-size-an-engine.md
 */
export type StepCostSource =
  | 'calibrated'
  | 'roofline'
  | { readonly measured: EngineConstants }
  | { readonly profile: StepCostModel };

/** Replaces the built-in constants of a GPU's host. */
export interface HostOverrides {
  /** Time of a step outside kernels. */
  readonly hostSecondsPerStep?: number | undefined;
  /** Latency of the smallest all-reduce. */
  readonly allReduceLatencySeconds?: number | undefined;
  readonly allReduceBytesPerSecond?: number | undefined;
}
