import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SettingName, settingsTable } from '../layout/index.ts';
import { engineCommand } from './engine-command.ts';
import { specs } from './resources.ts';

type Parts = Readonly<Record<'model' | 'vllmConfig' | 'more', object>>;

const argsOf = ({ model = {}, vllmConfig = {}, more = {} }: Partial<Parts>): readonly string[] => {
  const spec = specs.VLLMRuntime.parse({
    model: { modelURL: 'm', ...model },
    vllmConfig,
    deploymentConfig: { resources: {}, image: { registry: '', name: 'vllm/vllm-openai:v1' } },
    ...more,
  });
  return engineCommand(spec, 600).args;
};
const address = ['m', '--host', '0.0.0.0', '--port', '8000'];
const drain = ['--shutdown-timeout', '600'];

const fields: readonly (readonly [SettingName, Partial<Parts>, readonly string[]])[] = [
  ['enableLora', { model: { enableLoRA: true } }, []],
  ['enableAutoToolChoice', { model: { enableTool: true } }, []],
  ['toolCallParser', { model: { toolCallParser: 'hermes' } }, ['hermes']],
  ['maxModelLen', { model: { maxModelLen: 4096 } }, ['4096']],
  ['dtype', { model: { dtype: 'bfloat16' } }, ['bfloat16']],
  ['maxNumSeqs', { model: { maxNumSeqs: 32 } }, ['32']],
  ['chatTemplate', { model: { chatTemplate: '{{ 1 }}' } }, ['/templates/chat_template.json']],
  ['enableChunkedPrefill', { vllmConfig: { enableChunkedPrefill: true } }, []],
  ['enablePrefixCaching', { vllmConfig: { enablePrefixCaching: true } }, []],
  ['tensorParallelSize', { vllmConfig: { tensorParallelSize: 4 } }, ['4']],
  ['gpuMemoryUtilization', { vllmConfig: { gpuMemoryUtilization: '0.9' } }, ['0.9']],
  ['maxLoras', { vllmConfig: { maxLoras: 4 } }, ['4']],
];

for (const [name, parts, value] of fields) {
  test(`${name} of a resource becomes its flag of the table, on vLLM and on the embedded engine`, () => {
    const words = [settingsTable[name].flag, ...value];
    assert.deepEqual(argsOf(parts), [...address, ...words]);
    const embedded = { ...parts, more: { engineKind: 'embedded' } };
    assert.deepEqual(argsOf(embedded), [...address, ...drain, ...words]);
  });
}

test('a number of 0 and a switch that is not written leave the choice to the engine', () => {
  const model = { maxModelLen: 0, maxNumSeqs: 0, dtype: '' };
  const vllmConfig = { tensorParallelSize: 0, maxLoras: 0, gpuMemoryUtilization: '' };
  assert.deepEqual(argsOf({ model, vllmConfig }), address);
});

test('a switch that is off is passed where its default is on', () => {
  const vllmConfig = { enablePrefixCaching: false, enableChunkedPrefill: false };
  const words = ['--no-enable-chunked-prefill', '--no-enable-prefix-caching'];
  assert.deepEqual(argsOf({ vllmConfig }), [...address, ...words]);
  assert.deepEqual(argsOf({ model: { enableLoRA: false } }), address);
});

test('extraArgs come after the flags of fields, so that they win, and before the connector', () => {
  const vllmConfig = { maxLoras: 4, extraArgs: ['--max-loras', '8'], v1: false };
  const more = { lmCacheConfig: { enabled: true } };
  assert.deepEqual(argsOf({ vllmConfig, more }).slice(address.length), [
    ...['--max-loras', '4', '--max-loras', '8', '--kv-transfer-config'],
    '{"kv_connector":"LMCacheConnector","kv_role":"kv_both"}',
  ]);
});
