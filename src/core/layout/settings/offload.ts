// Settings of the KV tiers below HBM, and of KV transfer to other engines.
import { parseKvTransferConfig } from '../../vllm-config/index.ts';
import { missing, none, setting, used, without } from '../setting.ts';
import { amount, choice, json, positive, text, toggle } from '../value-kinds.ts';

const tiers = {
  ...{ engine: used, simulate: used, plan: used },
  recorded: missing('only simulate -f models KV tiers'),
} as const;

export const offloadSettings = {
  kvOffloadingSize: setting({
    flag: '--kv-offloading-size',
    ...{ value: positive('<gib>'), unit: 'GiB', defaultText: 'no offloading' },
    about: 'host memory for evicted KV cache, for all GPUs of the engine',
    effects: tiers,
  }),
  kvOffloadingBackend: setting({
    ...{ flag: '--kv-offloading-backend', defaultText: 'native' },
    value: choice(['native', 'lmcache']),
    about: 'what stores the evicted KV cache (default: native)',
    effects: tiers,
  }),
  kvTransferConfig: setting({
    ...{ flag: '--kv-transfer-config', defaultText: 'none' },
    value: json(parseKvTransferConfig),
    about:
      'connector below the KV cache: OffloadingConnector, LMCacheConnectorV1, ExampleConnector, MultiConnector',
    effects: { ...tiers, plan: none('plans write lmcacheConfig, or --kv-offloading-size') },
  }),
  cpuOffloadGb: setting({
    ...{ flag: '--cpu-offload-gb', value: amount('<gib>'), unit: 'GiB', defaultText: '0' },
    about: 'host memory for weights, per GPU',
    effects: {
      engine: missing('weights in host memory are not modelled'),
      simulate: missing('weights in host memory are not modelled'),
    },
  }),
  ...without(missing('weights in host memory are not modelled'), text('<value>'), [
    'cpuOffloadParams',
    'offloadBackend',
    'offloadGroupSize',
    'offloadNumInGroup',
    'offloadParams',
    'offloadPrefetchStep',
  ]),
  ...without(missing('only KV cache is transferred'), text('<value>'), [
    'ecTransferConfig',
    'ecManagerConfig',
    'weightTransferConfig',
  ]),
  ...without(none('there are no weights to put to sleep'), toggle, [
    'enableSleepMode',
    'enableCumemAllocator',
    'sleepModeOffloadCudagraph',
  ]),
  ...without(none('there are no weights to put to sleep'), text('<value>'), [
    'sleepModeBackend',
    'sleepPreserveParameterNames',
  ]),
} as const;
