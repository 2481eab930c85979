// Converts settings to the fields of `EngineSpec` that determine an engine's size.
import type { EngineSpec, SchedulerSettings } from '../sizing/index.ts';
import type { Settings } from './table.ts';

/** Sizes and scheduler settings; unset ones are undefined. */
export type SizingSettings = Omit<EngineSpec, 'model' | 'gpu' | 'scheduler'> & {
  readonly scheduler: SchedulerSettings;
};

/** @example sizingSettings(readWords(['-tp', '2', '--max-num-seqs', '64']).settings).scheduler.maxNumSeqs; // 64 */
export function sizingSettings(settings: Settings): SizingSettings {
  const { maxModelLen } = settings;
  return {
    tensorParallelSize: settings.tensorParallelSize,
    pipelineParallelSize: settings.pipelineParallelSize,
    dataParallelSize: settings.dataParallelSize,
    dtype: settings.dtype,
    quantization: settings.quantization,
    kvCacheDtype: settings.kvCacheDtype,
    gpuMemoryUtilization: settings.gpuMemoryUtilization,
    kvCacheMemoryBytes: settings.kvCacheMemoryBytes,
    numGpuBlocks: settings.numGpuBlocksOverride,
    fitsContext: maxModelLen === 'auto' || undefined,
    scheduler: {
      blockSize: settings.blockSize,
      maxModelLen: maxModelLen === 'auto' ? undefined : maxModelLen,
      maxNumSeqs: settings.maxNumSeqs,
      maxNumActiveSeqs: settings.maxNumActiveSeqs,
      maxNumBatchedTokens: settings.maxNumBatchedTokens,
      enablePrefixCaching: settings.enablePrefixCaching,
      enableChunkedPrefill: settings.enableChunkedPrefill,
      longPrefillTokenThreshold: settings.longPrefillTokenThreshold,
      schedulingPolicy: settings.schedulingPolicy,
      maxLoras: settings.maxLoras,
    },
  };
}
