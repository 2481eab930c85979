// Settings of an engine's parallelism and precision.
import { missing, modelled, none, planned, setting, used, without } from '../setting.ts';
import { choice, count, text, toggle } from '../value-kinds.ts';

const oneCore = none('an embedded engine is one engine core; replicaCount gives more');

export const parallelismSettings = {
  tensorParallelSize: setting({
    ...{ flag: '--tensor-parallel-size', aliases: ['-tp'] },
    keys: ['vllmConfig.tensorParallelSize'],
    ...{ value: count(1), unit: 'GPUs', defaultText: '1' },
    about: 'GPUs that share each layer',
    effects: planned,
  }),
  pipelineParallelSize: setting({
    ...{ flag: '--pipeline-parallel-size', aliases: ['-pp'] },
    keys: ['vllmConfig.pipelineParallelSize'],
    ...{ value: count(1), unit: 'stages', defaultText: '1' },
    about: 'groups of GPUs with a part of the layers each',
    effects: planned,
  }),
  dataParallelSize: setting({
    ...{ flag: '--data-parallel-size', aliases: ['-dp'] },
    ...{ value: count(1), unit: 'engine cores', defaultText: '1' },
    about: 'number of data-parallel engine cores',
    effects: { engine: oneCore, simulate: used },
  }),
  enableExpertParallel: setting({
    ...{ flag: '--enable-expert-parallel', aliases: ['-ep'], value: toggle, defaultText: 'off' },
    about: 'give each GPU whole experts instead of slices',
    effects: {
      engine: missing('experts are assumed to be sliced over the GPUs'),
      simulate: missing('experts are assumed to be sliced over the GPUs'),
      recorded: used,
    },
  }),
  dtype: setting({
    ...{ flag: '--dtype', keys: ['vllmConfig.dtype'], defaultText: "the model's" },
    value: choice(['auto', 'half', 'float16', 'bfloat16', 'float', 'float32']),
    about: 'type of weights and activations that are not quantized',
    effects: modelled,
  }),
  quantization: setting({
    ...{ flag: '--quantization', aliases: ['-q'], defaultText: "the checkpoint's" },
    value: text(),
    about: 'how weights are quantized',
    effects: modelled,
  }),
  ...without(
    oneCore,
    text('<value>'),
    [
      'dataParallelRank',
      'dataParallelStartRank',
      'dataParallelSizeLocal',
      'dataParallelAddress',
      'dataParallelRpcPort',
      'dataParallelBackend',
      'dataParallelSupervisorPort',
      'dpSyncInterval',
      'elasticEpMaxDpSize',
    ],
    {
      dataParallelRank: '-dpn',
      dataParallelStartRank: '-dpr',
      dataParallelSizeLocal: '-dpl',
      dataParallelAddress: '-dpa',
      dataParallelRpcPort: '-dpp',
      dataParallelBackend: '-dpb',
    },
  ),
  ...without(
    oneCore,
    toggle,
    [
      'dataParallelHybridLb',
      'dataParallelExternalLb',
      'dataParallelMultiPortExternalLb',
      'disableNcclForDpSynchronization',
      'enableElasticEp',
    ],
    {
      dataParallelHybridLb: '-dph',
      dataParallelExternalLb: '-dpe',
      dataParallelMultiPortExternalLb: '-dpm',
    },
  ),
  ...without(
    missing('context parallel is not modelled'),
    text('<value>'),
    [
      'decodeContextParallelSize',
      'prefillContextParallelSize',
      'dcpKvCacheInterleaveSize',
      'cpKvCacheInterleaveSize',
      'dcpCommBackend',
    ],
    { decodeContextParallelSize: '-dcp', prefillContextParallelSize: '-pcp' },
  ),
  ...without(missing('the balance of experts is not modelled'), toggle, [
    'enableEplb',
    'enableEpWeightFilter',
  ]),
  ...without(missing('the balance of experts is not modelled'), text('<value>'), [
    'eplbConfig',
    'expertPlacementStrategy',
    'all2allBackend',
  ]),
  ...without(missing('overlapped micro-batches are not modelled'), text('<value>'), [
    'ubatchSize',
    'dboDecodeTokenThreshold',
    'dboPrefillTokenThreshold',
  ]),
  ...without(missing('overlapped micro-batches are not modelled'), toggle, ['enableDbo']),
  ...without(
    none('no processes on other machines are started'),
    text('<value>'),
    [
      'distributedExecutorBackend',
      'nnodes',
      'nodeRank',
      'masterAddr',
      'masterPort',
      'distributedTimeoutSeconds',
      'cpuDistributedTimeoutSeconds',
      'maxParallelLoadingWorkers',
      'rayWorkersNsight',
      'numaBindNodes',
      'numaBindCpus',
      'deviceIds',
      'workerCls',
      'workerExtensionCls',
      'faultToleranceConfig',
    ],
    { nnodes: '-n', nodeRank: '-r' },
  ),
  ...without(none('no processes on other machines are started'), toggle, [
    'rayWorkersUseNsight',
    'headless',
    'enableFaultTolerance',
    'enableNcclCommSuspend',
  ]),
} as const;
