// Settings of LoRA adapters, checked as vLLM checks them.
import { missing, none, setting, used, without } from '../setting.ts';
import { count, countOf, text, texts, toggle } from '../value-kinds.ts';

/** Ranks that vLLM 0.32 has kernels for (config/lora.py). */
const loraRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512];

const adapters = {
  engine: used,
  simulate: missing('the overhead of adapters is not modelled'),
} as const;

export const loraSettings = {
  enableLora: setting({
    ...{ flag: '--enable-lora', keys: ['enableLoRA'], value: toggle, defaultText: 'off' },
    about: 'let requests name LoRA adapters as their model',
    effects: { ...adapters, plan: used },
  }),
  loraModules: setting({
    ...{ flag: '--lora-modules', value: texts('<modules...>'), defaultText: 'none' },
    about: 'adapters to load: NAME=PATH, or JSON',
    effects: adapters,
  }),
  maxLoras: setting({
    ...{ flag: '--max-loras', keys: ['vllmConfig.maxLoras'] },
    ...{ value: count(1), unit: 'adapters', defaultText: '1' },
    about: 'maximum number of adapters in a step',
    effects: { ...adapters, plan: used },
  }),
  maxLoraRank: setting({
    ...{ flag: '--max-lora-rank', value: countOf(loraRanks), defaultText: '16' },
    about: 'largest rank of an adapter',
    effects: adapters,
  }),
  maxCpuLoras: setting({
    ...{ flag: '--max-cpu-loras', value: count(1), unit: 'adapters', defaultText: '--max-loras' },
    about: 'maximum number of adapters in host memory, at least --max-loras',
    effects: adapters,
  }),
  ...without(none('adapters have no weights here'), text('<value>'), [
    'loraDtype',
    'loraTargetModules',
    'defaultMmLoras',
    'maxLoraClsLabels',
  ]),
  ...without(none('adapters have no weights here'), toggle, [
    'fullyShardedLoras',
    'enableMixedMoeLoraFormat',
    'enableMoeSharedLoras',
    'enableTowerConnectorLora',
    'specializeActiveLora',
  ]),
} as const;
