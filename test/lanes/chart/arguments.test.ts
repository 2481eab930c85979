// The arguments of engines: what the chart renders and what the table of settings says are the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  entryWords,
  podKvEvents,
  settingNames,
  settingsTable,
} from '../../../src/core/layout/index.ts';
import type { ModelEntry } from '../../../src/core/values/index.ts';
import { helms, objects, one } from './helm.ts';

type Json = Record<string, unknown>;

/** Values of a key that the schema allows, on and off. */
const samples: Readonly<Record<string, readonly unknown[]>> = {
  'vllmConfig.maxModelLen': [1, 8192, 1_048_576, 10_000_000],
  'vllmConfig.gpuMemoryUtilization': [0.9, '0.85', 1],
  'vllmConfig.runner': ['auto', 'pooling'],
  'vllmConfig.convert': ['embed'],
  'vllmConfig.schedulingPolicy': ['fcfs', 'priority'],
  'vllmConfig.dtype': ['auto', 'bfloat16'],
  gpu: ['H100-80GB', { memoryGB: 24, name: 'mine' }],
  faults: [['error:probability=0.1', 'hang:after=1'], []],
  timeScale: [10, 0.5],
  chatTemplate: ['t.jinja'],
  profile: ['/profile.json'],
};
const text = ['x', 'it\'s "quoted"', 'déjà vu'];
const entries: Json[] = [
  {},
  { vllmConfig: {} },
  {
    vllmConfig: {
      extraArgs: [
        ...['--max-num-seqs', '7', "--served-model-name='y'"],
        ...['--hf-overrides', '{"a": [1, "b"]}'],
      ],
    },
  },
  { vllmConfig: { kvEvents: false } },
  { vllmConfig: { v0: '1' }, lmcacheConfig: { enabled: true } },
  { lmcacheConfig: { enabled: true, kvRole: 'kv_producer', enablePD: true, nixlRole: 'sender' } },
  { lmcacheConfig: { enabled: true, enablePD: false } },
  { lmcacheConfig: { enabled: false, kvRole: 'kv_both' } },
  { lmcacheConfig: { enabled: true, mpServer: 'lmcache:6555', kvRole: 'kv_consumer' } },
  { lmcacheConfig: { enabled: true, mpServer: '$(HOST_IP):5555' } },
  { lmcacheConfig: { enabled: true, mpServer: true, cpuOffloadingBufferSize: '60' } },
  { lmcacheConfig: { enabled: false, mpServer: true } },
  {
    lmcacheConfig: { enabled: true },
    vllmConfig: { extraArgs: ['--kv-transfer-config={"kv_connector":"MultiConnector"}'] },
  },
  { modelRevision: '', toolCallParser: '', chatTemplate: '' },
  ...settingNames.flatMap((name) => {
    const { keys, value } = settingsTable[name];
    return keys
      .filter((key) => key !== 'modelURL')
      .flatMap((key) =>
        (samples[key] ?? samplesOf(key, value.arity)).map((sample) => nested(key, sample)),
      );
  }),
];

function samplesOf(key: string, arity: string): readonly unknown[] {
  if (arity === 'switch' || key === 'vllmConfig.kvEvents') return [true, false];
  return key.startsWith('vllmConfig.') ? [1, 4_194_304] : text;
}

function nested(key: string, value: unknown): Json {
  const [head = '', last] = key.split('.');
  return last === undefined ? { [head]: value } : { [head]: { [last]: value } };
}

for (const program of helms) {
  for (const kind of ['vllm', 'embedded'] as const) {
    test(`${program}: ${entries.length} ${kind} engines get the arguments of the table`, async () => {
      const modelSpec = entries.map((entry, index) => ({
        ...{ name: `m${index}`, kind, modelURL: 'org/model', repository: 'r', tag: 't' },
        ...{ requestCPU: 1, requestMemory: '1Gi', ...entry },
      }));
      const values = { servingEngineSpec: { modelSpec } };
      const all = await objects(values, { program });
      for (const [index, entry] of modelSpec.entries()) {
        const command = one(all, 'Deployment', `-m${index}-deployment-vllm`)['spec'].template.spec
          .containers[0].command as string[];
        const rendered = command.slice(command.indexOf('--port') + 2);
        const expected = entryWords(
          entry as unknown as ModelEntry,
          kind === 'vllm' ? 'chart' : 'engine',
          podKvEvents,
          'pod',
        );
        const own = kind === 'embedded' ? rendered.slice(2) : rendered;
        // Under "spillway up" an argument may be split at its "=", which an engine reads alike.
        const words = (all: readonly string[]) => all.flatMap(split).map(asJson);
        assert.deepEqual(words(own), words(expected), JSON.stringify(entries[index]));
      }
    });
  }
}

function split(word: string): readonly string[] {
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
  return flag === undefined ? [word] : [flag, value ?? ''];
}

/** JSON with its keys in order, since Helm sorts them. */
function asJson(word: string): unknown {
  if (!word.startsWith('{')) return word;
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}
