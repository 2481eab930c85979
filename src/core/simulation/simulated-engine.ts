// One engine of a simulated fleet, as options.
import type { EngineConfig, KvConnector, StepCostModel } from '../engine/index.ts';

export interface SimulatedEngine {
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  /** The tiers below the engine's KV cache; engines may share the stores behind theirs. */
  readonly createConnector?: ((engine: number) => KvConnector) | undefined;
  /** Whether prompts that are computed again after an eviction are counted. @default false */
  readonly countsEvicted?: boolean | undefined;
}
