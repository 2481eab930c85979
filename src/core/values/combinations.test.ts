import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { checkModels, withStandIns } from './catalogue.ts';
import { resolveValues } from './resolve.ts';

const resolve = (text: string): void => {
  resolveValues({ files: [{ name: 'my.yaml', text }] });
};

/** Values with one entry of modelSpec, given as the inside of a flow map. */
const model = (keys: string): string => `servingEngineSpec: {modelSpec: [{name: m, ${keys}}]}`;

test('refuses values that cannot work together, at the key to change', () => {
  const table: [text: string, column: number | undefined, sentence: RegExp][] = [
    [
      'routerSpec: {autoscaling: {minReplicas: 5}}',
      41,
      /minReplicas \(5\) must not be above maxReplicas \(3\)/,
    ],
    [
      'routerSpec: {autoscaling: {maxReplicas: 0}}',
      41,
      /minReplicas \(1\) must not be above maxReplicas \(0\)/,
    ],
    ['routerSpec: {tls: {cert: a.pem}}', 26, /tls\.cert needs routerSpec\.tls\.key: they belong/],
    [
      'routerSpec: {engineTls: {key: a.pem}}',
      31,
      /engineTls\.key needs routerSpec\.engineTls\.cert/,
    ],
    [
      'routerSpec: {tls: {clientCa: a.pem}}',
      30,
      /tls\.clientCa needs routerSpec\.tls\.cert and key/,
    ],
    ['routerSpec: {routingLogic: session}', 28, /is session, so routerSpec\.sessionKey must name/],
    [
      'routerSpec: {serviceDiscovery: static}',
      32,
      /is static, so routerSpec\.staticBackends must list/,
    ],
    [
      'routerSpec: {serviceDiscovery: static, staticBackends: "http://a,http://b", staticModels: m}',
      undefined,
      /staticModels has 1 model for 2 backends/,
    ],
    [
      'routerSpec: {pdb: {enabled: true, minAvailable: 1, maxUnavailable: 1}}',
      undefined,
      /pdb\.maxUnavailable and minAvailable cannot both be set/,
    ],
    [
      'servingEngineSpec: {modelSpec: [{name: m}, {name: m}]}',
      undefined,
      /modelSpec\[1\]\.name is "m", which servingEngineSpec\.modelSpec\[0\] already has/,
    ],
    [model('kind: url'), undefined, /kind is url, so urls must list/],
    [model('kind: vllm, urls: ["http://a"]'), undefined, /urls needs kind: url, but kind is vllm/],
    [
      model('kind: vllm, timeScale: 2'),
      undefined,
      /timeScale is for the embedded engine, but kind is vllm/,
    ],
    [
      model('urls: ["http://a"], faults: [x]'),
      undefined,
      /faults is for the embedded engine, but kind is url/,
    ],
    [
      model('requestGPU: 2, vllmConfig: {tensorParallelSize: 4}'),
      undefined,
      /tensorParallelSize \(4\) needs 4 GPUs per engine, but requestGPU is 2/,
    ],
    [
      model('resources: {limits: {nvidia.com/gpu: "1"}}, vllmConfig: {tensorParallelSize: 2}'),
      undefined,
      /needs 2 GPUs per engine, but resources request 1/,
    ],
    [
      model('requestGPU: 2, vllmConfig: {tensorParallelSize: 2, pipelineParallelSize: 2}'),
      undefined,
      /tensorParallelSize \(2\) times pipelineParallelSize \(2\) needs 4 GPUs per engine, but requestGPU is 2/,
    ],
    [
      model(
        'requestGPU: 1, raySpec: {headNode: {requestGPU: 1}}, vllmConfig: {tensorParallelSize: 2}',
      ),
      undefined,
      /needs 2 GPUs per engine, but requestGPU is 1; raySpec\.enabled: true makes one engine/,
    ],
    [
      model(
        'replicaCount: 1, requestGPU: 1, raySpec: {enabled: true, headNode: {requestGPU: 1}}, vllmConfig: {tensorParallelSize: 2, pipelineParallelSize: 2}',
      ),
      undefined,
      /\(2\) times pipelineParallelSize \(2\) needs 4 GPUs, but head and workers together request 2/,
    ],
    [
      model('vllmConfig: {maxNumBatchedTokens: 64, maxNumSeqs: 128}'),
      undefined,
      /maxNumBatchedTokens \(64\) must not be below maxNumSeqs \(128\)/,
    ],
    [
      model(
        'vllmConfig: {maxNumBatchedTokens: 2048, maxModelLen: 4096, enableChunkedPrefill: false}',
      ),
      undefined,
      /must not be below maxModelLen \(4096\) without chunked prefill/,
    ],
    [model('enableTool: true'), undefined, /enableTool needs toolCallParser/],
    [
      model('requestCPU: 2, limitCPU: 1500m'),
      undefined,
      /limitCPU \(1500m\) must not be below requestCPU \(2\)/,
    ],
    [
      model('requestMemory: 32Gi, limitMemory: 32G'),
      undefined,
      /limitMemory \(32G\) must not be below requestMemory \(32Gi\)/,
    ],
    [
      model('resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}'),
      undefined,
      /resources\.limits\.memory \(1Gi\) must not be below its request \(2Gi\)/,
    ],
    [
      model('requestGPUMem: 3000, requestGPUMemPercentage: 80'),
      undefined,
      /requestGPUMemPercentage and requestGPUMem cannot both be set/,
    ],
    [
      model('keda: {enabled: true, minReplicaCount: 3, maxReplicaCount: 2}'),
      undefined,
      /minReplicaCount \(3\) must not be above maxReplicaCount \(2\)/,
    ],
    [
      model('keda: {enabled: true, minReplicaCount: 101}'),
      undefined,
      /minReplicaCount \(101\) must not be above maxReplicaCount \(100\)/,
    ],
    [
      model('keda: {enabled: true, minReplicaCount: 1, idleReplicaCount: 1}'),
      undefined,
      /idleReplicaCount \(1\) must be below minReplicaCount \(1\)/,
    ],
    [
      model('pdb: {enabled: true, minAvailable: 1, maxUnavailable: 1}'),
      undefined,
      /modelSpec\[0\]\.pdb\.maxUnavailable and minAvailable cannot both be set/,
    ],
    // Without a tensorParallelSize, the error is placed at the first key that it mentions.
    [
      model(
        'replicaCount: 1, requestGPU: 1, raySpec: {enabled: true}, vllmConfig: {pipelineParallelSize: 2}',
      ),
      72,
      /\(1\) times pipelineParallelSize \(2\) needs 2 GPUs/,
    ],
  ];
  for (const [text, column, sentence] of table) {
    assert.throws(
      () => resolve(text),
      (error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, sentence);
        assert.match(
          error.message,
          column === undefined ? /^my\.yaml:1:\d+: / : new RegExp(`^my\\.yaml:1:${column}: `),
        );
        return true;
      },
      text,
    );
  }
});

test('reports both conflicts of one key, in the order of the checks', () => {
  const text = model(
    'vllmConfig: {maxNumBatchedTokens: 64, maxNumSeqs: 128, maxModelLen: 4096, enableChunkedPrefill: false}',
  );
  assert.throws(
    () => resolve(text),
    /below maxNumSeqs \(128\)[^\n]*\n[^\n]*below maxModelLen \(4096\)/,
  );
});

test('accepts the same values where they do not conflict', () => {
  const fine = [
    'routerSpec: {routingLogic: session, sessionKey: x-user-id}',
    'routerSpec: {enableRouter: false, serviceDiscovery: static}',
    'routerSpec: {serviceDiscovery: static, staticBackends: "http://a, http://b", staticModels: "m,n"}',
    'servingEngineSpec: {modelSpec: [{name: m}, {name: m, enabled: false}]}',
    model('urls: ["http://a"]'),
    model('kind: embedded, timeScale: 2'),
    model('requestGPU: "4", vllmConfig: {tensorParallelSize: 4}'),
    model('requestGPU: 0.5'),
    model('requestGPU: 0, vllmConfig: {tensorParallelSize: 2}'),
    model('vllmConfig: {tensorParallelSize: 2}'),
    model(
      'kind: vllm, requestGPU: 4, vllmConfig: {tensorParallelSize: 2, pipelineParallelSize: 2}',
    ),
    model(
      'replicaCount: 3, requestGPU: 1, raySpec: {enabled: true, headNode: {requestGPU: 1}}, vllmConfig: {tensorParallelSize: 2, pipelineParallelSize: 2}',
    ),
    model('enableTool: true, toolCallParser: hermes'),
    model('enableTool: true, vllmConfig: {extraArgs: ["--tool-call-parser=hermes"]}'),
    model('enableTool: true, vllmConfig: {extraArgs: ["--tool_call_parser", "hermes"]}'),
    model('requestCPU: 500m, limitCPU: 1'),
    model('keda: {enabled: false, minReplicaCount: 3, maxReplicaCount: 2}'),
    model('keda: {enabled: true, minReplicaCount: 100}'),
    model('enabled: false, requestGPU: 1, vllmConfig: {tensorParallelSize: 2}'),
  ];
  for (const text of fine) assert.doesNotThrow(() => resolve(text), text);
});

test('checks GPUs against a catalogue, if one is given, for embedded engines only', () => {
  const catalogue = {
    findGpu: (name: string) => {
      if (!['H100-80GB', '{"name":"X1"}'].includes(name))
        throw new InputError(`GPU "${name}" is not known.`);
    },
  };
  const check = (keys: string): string => {
    try {
      resolveValues({ files: [{ name: 'my.yaml', text: model(keys) }], catalogue });
      return 'fine';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(check('modelURL: Qwen/Qwen3-8B, gpu: H100-80GB'), 'fine');
  assert.match(
    check('modelURL: Qwen/Qwen3-8B, gpu: H1000'),
    /^my\.yaml:1:73: .*\.gpu: GPU "H1000" is not known\.$/,
  );
  assert.equal(check('modelURL: Qwen/Qwen3-8B, gpu: {name: X1}'), 'fine');
  assert.match(check('modelURL: Qwen/Qwen3-8B, gpu: {name: X2}'), /"\{"name":"X2"\}" is not known/);
  assert.equal(check('kind: vllm, modelURL: nobody/nothing, gpu: TPU'), 'fine');
  const broken = { findGpu: () => assert.fail('the catalogue is broken') };
  const text = model('kind: embedded, gpu: H100-80GB');
  assert.throws(
    () => resolveValues({ files: [{ name: 'my.yaml', text }], catalogue: broken }),
    /the catalogue is broken/,
  );
});

const knownModels = {
  findEngineModel: (name: string) => {
    if (name !== 'Qwen/Qwen3-8B') throw new InputError(`Model "${name}" is not known.`);
  },
  findStandIn: (text: string) => {
    if (text !== '8B') throw new InputError(`Model "${text}" is not known.`);
  },
};

test('a model that an embedded engine cannot emulate is a fault of its key, unless it has a stand-in', () => {
  const faults = (keys: string, more = ''): readonly string[] => {
    const { values } = resolveValues({ files: [{ name: 'my.yaml', text: model(keys) + more }] });
    return checkModels(values, knownModels, (entry) => entry.kind !== 'vllm').map(
      ({ path, sentence }) => `${path.join('.')}: ${sentence}`,
    );
  };
  const key = 'servingEngineSpec.modelSpec.0';
  const unknown = [
    `${key}.modelURL: servingEngineSpec.modelSpec[0].modelURL: Model "gpt-4o" is not known`,
  ];
  assert.deepEqual(faults('modelURL: Qwen/Qwen3-8B'), []);
  assert.deepEqual(faults('modelURL: gpt-4o'), unknown);
  assert.deepEqual(faults('modelURL: gpt-4o, profile: p.json'), unknown);
  assert.deepEqual(faults('modelURL: gpt-4o, enabled: false'), []);
  assert.deepEqual(faults('modelURL: gpt-4o, kind: vllm'), []);
  assert.deepEqual(faults('modelURL: gpt-4o, standIn: 8B'), []);
  assert.deepEqual(faults('modelURL: gpt-4o', '\nspillway: {standIn: 8B}'), []);
  assert.deepEqual(faults('modelURL: x, vllmConfig: {extraArgs: ["--stand-in", 8B]}'), []);
  assert.deepEqual(faults('modelURL: gpt-4o, standIn: huge'), [
    `${key}.standIn: servingEngineSpec.modelSpec[0].standIn: Model "huge" is not known`,
  ]);
  assert.deepEqual(faults('modelURL: Qwen/Qwen3-8B', '\nspillway: {standIn: big}'), [
    'spillway.standIn: spillway.standIn: Model "big" is not known',
  ]);
});

test('spillway.standIn is the stand-in of the models that are not known', () => {
  const text = `${model('modelURL: gpt-4o')}\nspillway: {standIn: 8B}`;
  const { values } = resolveValues({ files: [{ name: 'my.yaml', text }] });
  const [entry = assert.fail()] = values.servingEngineSpec.modelSpec;
  const named = (...modelURLs: string[]): typeof values => ({
    ...values,
    servingEngineSpec: {
      ...values.servingEngineSpec,
      modelSpec: [
        ...modelURLs.map((modelURL) => ({ ...entry, modelURL })),
        { ...entry, standIn: '1B' },
      ],
    },
  });
  const { servingEngineSpec } = withStandIns(named('gpt-4o', 'Qwen/Qwen3-8B'), knownModels);
  assert.deepEqual(
    servingEngineSpec.modelSpec.map(({ standIn }) => standIn),
    ['8B', undefined, '1B'],
  );
});
