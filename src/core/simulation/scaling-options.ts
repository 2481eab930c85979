// How the number of engines of a simulated fleet changes, and what that cost.
import type { Scaler } from '../scaler/index.ts';

export interface SimulatedScaling {
  readonly scaler: Scaler;
  /** Engines at the beginning; the options of the fleet have as many as there may be. */
  readonly startEngines: number;
  /** From the decision to an engine that serves. */
  readonly startupSeconds: number;
  /** Interval at which the scaler looks. @default 15, Kubernetes' own */
  readonly everySeconds?: number;
}

/** How a fleet was scaled. */
export interface ScalingResult {
  /** Time of all engines from their start to the end of their last request. */
  readonly engineSeconds: number;
  /** Engines that were started, and that were stopped. */
  readonly started: number;
  readonly stopped: number;
}
