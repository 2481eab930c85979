// The engine model: a vLLM engine step by step, and what its steps cost.
export type { BlockKey } from '../kv/index.ts';
export {
  calibrateEngine,
  type EngineCalibration,
  type EngineConstants,
  engineConstantNames,
  engineCost,
  engineRoofline,
  type MeasuredLayout,
  type Measurement,
  type PredictionErrors,
  shippedEngineConstants,
} from './calibration/engine-constants.ts';
export { type MetricsReading, metricsMeasurements } from './calibration/metrics-window.ts';
export { findGpu } from './catalogue/find-gpu.ts';
export { type GpuSpec, gpus } from './catalogue/gpus.ts';
export { hostLink, nativeOffloadFor, type OffloadSettings } from './catalogue/host-links.ts';
export { defaultHostSecondsPerStep, type HostConstants, hostConstants } from './catalogue/hosts.ts';
export { type KvLink, kvLink, kvLinkNames } from './catalogue/kv-links.ts';
export { type LmcacheSettings, lmcacheFor } from './catalogue/lmcache-layout.ts';
export {
  kvBlocks,
  type LayoutOptions,
  type MemoryBudget,
  memoryBudget,
} from './catalogue/memory.ts';
export { modelFromConfig } from './catalogue/model-config.ts';
export { guessModel, modelOfSize } from './catalogue/model-guess.ts';
export {
  type AttentionShape,
  activeParameters,
  bytesPerWeightOf,
  checkHeadsShared,
  kvBytesPerToken,
  kvBytesPerTokenPerGpu,
  kvShareRead,
  type ModelSpec,
  modelParameters,
  type PoolingSpec,
  sharesHeads,
  weightBytes,
} from './catalogue/model-spec.ts';
export { findModel, models, UnknownModelError } from './catalogue/models.ts';
export { listed, nearestModels } from './catalogue/nearest-models.ts';
export {
  bareCheckpointName,
  bytesPerWeight,
  precisionNamed,
  type WeightPrecision,
} from './catalogue/precision.ts';
export { multipliesFp8 } from './catalogue/tensor-cores.ts';
export { copyByLayerBytesPerSecond, measuredStepSeconds } from './catalogue/tier-costs.ts';
export {
  checkEngineConfig,
  defaultEngineConfig,
  type EngineConfig,
  type EngineConfigInput,
  type SchedulerDefaults,
  schedulerDefaults,
} from './config.ts';
export type {
  CacheLookup,
  EngineListener,
  EngineStats,
  EngineStep,
  LockstepCostModel,
  StepCostModel,
  StepLoad,
} from './contract.ts';
export { type AllReduceLink, allReduceSeconds } from './cost/all-reduce.ts';
export { profileLockstep, summedLockstep } from './cost/lockstep.ts';
export { type PipelineOptions, pipelinedConfig, pipelinedCost } from './cost/pipeline.ts';
export {
  calibratedRoofline,
  isMeasuredGpu,
  kernelsOf,
  type PointCalibration,
  pointCalibration,
} from './cost/point-calibration.ts';
export { pointErrorShares, pointErrors, pointKind } from './cost/point-errors.ts';
export { type ProfileTables, parseStepProfile, type StepProfile } from './cost/profile.ts';
export { type ProfileCostOptions, profileCost } from './cost/profile-cost.ts';
export { fillProfileGaps, type ProfileGapOptions } from './cost/profile-gaps.ts';
export { scaleProfile } from './cost/profile-scaling.ts';
export {
  defaultConstants,
  type RooflineConstants,
  type RooflineOptions,
  rooflineCost,
} from './cost/roofline.ts';
export {
  KvExchange,
  type KvExchangeEngine,
  type KvExchangeOptions,
  type KvRead,
  type LostHandoff,
} from './disaggregation/kv-exchange.ts';
export { EngineModel, type EngineModelOptions } from './engine-model.ts';
export type { EngineRequest, FinishReason } from './request.ts';
export { onlyCheaperLoads } from './tiers/cheaper-loads.ts';
export { ChunkStore, type ChunkStoreOptions } from './tiers/chunk-store.ts';
export type {
  HeldRun,
  HitSource,
  KvConnector,
  LmcacheStore,
  TieredSequence,
  TierHit,
  TierListener,
  TierResidency,
  TierStats,
  TierStep,
  TransferStats,
} from './tiers/contract.ts';
export { type EvictionPolicyName, evictionPolicies } from './tiers/eviction.ts';
export { Lmcache, type LmcacheConfig, type LmcacheOptions } from './tiers/lmcache.ts';
export { MultiConnector } from './tiers/multi-connector.ts';
export { NativeOffload, type NativeOffloadOptions } from './tiers/native-offload.ts';
export {
  type NativeOffloadConfig,
  type NativeOffloadSettings,
  nativeOffloadConfig,
} from './tiers/native-offload-config.ts';
export {
  PeerGroup,
  type PeerGroupOptions,
  type PeerMemory,
  peerDefaults,
} from './tiers/peer-group.ts';
export { TransferLink, type TransferLinkOptions } from './tiers/transfer-link.ts';
export { type TransferJob, TransferQueue } from './tiers/transfer-queue.ts';
