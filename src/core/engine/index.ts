// The engine model: a vLLM engine step by step, and what its steps cost.
export type { BlockKey } from '../kv/index.ts';
export {
  checkEngineConfig,
  defaultEngineConfig,
  type EngineConfig,
  type EngineConfigInput,
  type SchedulerDefaults,
  schedulerDefaults,
} from './config.ts';
export type {
  EngineListener,
  EngineRequest,
  EngineStats,
  EngineStep,
  FinishReason,
  StepCostModel,
  StepLoad,
} from './contract.ts';
export { EngineModel, type EngineModelOptions } from './engine-model.ts';
