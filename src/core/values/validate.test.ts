import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { presets } from './presets.ts';
import { ValuesError } from './problem.ts';
import { resolveValues, type ValuesInput } from './resolve.ts';
import { routingLogics } from './schema-router.ts';

/** Returns the lines of the report for invalid values. */
function refusal(input: ValuesInput | string): string[] {
  const given = typeof input === 'string' ? { files: [{ name: 'my.yaml', text: input }] } : input;
  try {
    resolveValues(given);
  } catch (error) {
    if (!(error instanceof ValuesError)) throw error;
    assert.equal(error.exitCode, 2);
    const lines = error.message.split('\n');
    return lines.length === 1 ? lines : lines.slice(1);
  }
  assert.fail(`expected these values to be refused: ${JSON.stringify(given)}`);
}

const entry = (keys: string): string =>
  `servingEngineSpec:\n  modelSpec:\n    - name: m\n      ${keys}\n`;

test('reports an unknown key with its place and the key that was meant', () => {
  const table: [string, string][] = [
    ['routerSpek: {}', 'my.yaml:1:1: routerSpek is not a known key; did you mean routerSpec?'],
    [
      'routerSpec: {routing_logic: x}',
      'my.yaml:1:14: routerSpec.routing_logic is not a known key; did you mean routingLogic?',
    ],
    [
      'routerSpec: {enabled: true}',
      'my.yaml:1:14: routerSpec.enabled is not a known key; did you mean enableRouter?',
    ],
    [
      'routerSpec: {algorithm: x}',
      'my.yaml:1:14: routerSpec.algorithm is not a known key; did you mean routingLogic?',
    ],
    [
      'routingLogic: session',
      'my.yaml:1:1: routingLogic is not a known key; routingLogic is known at routerSpec.routingLogic and spillway.routingLogic.',
    ],
    [
      entry('maxNumSeqs: 8'),
      'my.yaml:4:7: servingEngineSpec.modelSpec[0].maxNumSeqs is not a known key; maxNumSeqs is known at servingEngineSpec.modelSpec[].vllmConfig.maxNumSeqs.',
    ],
    [
      entry('livenessProbe: {periodSeconds: 5}'),
      'my.yaml:4:7: servingEngineSpec.modelSpec[0].livenessProbe is not a known key; servingEngineSpec.livenessProbe sets it for all entries.',
    ],
    // Known in too many places to list them.
    [
      'spillway: {extraArgs: []}',
      'my.yaml:1:12: spillway.extraArgs is not a known key; known below spillway: dashboard, enginePort, engineProcesses, standIn, vllmCommand, routingLogic, observability, bareMetal, image, prometheusRule, networkPolicy, gate, … (13 in all).',
    ],
    [
      entry('vllmConfig: {max-model-len: 8}'),
      'my.yaml:4:20: servingEngineSpec.modelSpec[0].vllmConfig.max-model-len is not a known key; did you mean maxModelLen?',
    ],
    [
      entry('url: http://a'),
      'my.yaml:4:7: servingEngineSpec.modelSpec[0].url is not a known key; did you mean urls?',
    ],
    [
      entry('hf_token: {secretNmae: x}'),
      'my.yaml:4:18: servingEngineSpec.modelSpec[0].hf_token.secretNmae is not a known key; did you mean secretName?',
    ],
    [
      'monitoring: {enabled: true}',
      'my.yaml:1:1: monitoring is not a known key; known at the top: servingEngineSpec, routerSpec, cacheserverSpec, loraAdapters, loraController, sharedPvcStorage, extraObjects, grafanaDashboards, kube-prometheus-stack, prometheus-adapter, global, spillway, … (13 in all). The name of a key that only holds anchors begins with x-.',
    ],
  ];
  for (const [text, expected] of table) assert.deepEqual(refusal(text), [expected]);
});

test('reports a wrong value with what is allowed and what was given', () => {
  const key = (name: string): string =>
    `my.yaml:4:${7 + name.length + 2}: servingEngineSpec.modelSpec[0].${name}`;
  const table: [string, string][] = [
    [
      'routerSpec: {replicaCount: two}',
      'my.yaml:1:28: routerSpec.replicaCount must be a whole number of at least 0, not the text "two".',
    ],
    [
      'routerSpec: {replicaCount: 1.5}',
      'my.yaml:1:28: routerSpec.replicaCount must be a whole number of at least 0, not 1.5.',
    ],
    [
      'routerSpec: {containerPort: 70000}',
      'my.yaml:1:29: routerSpec.containerPort must be a whole number from 1 to 65535, not 70000.',
    ],
    [
      'routerSpec: {enableRouter: "yes"}',
      'my.yaml:1:28: routerSpec.enableRouter must be true or false, not the text "yes"; write true.',
    ],
    [
      'routerSpec: {tag: 1.37}',
      'my.yaml:1:19: routerSpec.tag must be a text, not 1.37; put it in quotes.',
    ],
    [
      'routerSpec: {sessionKey: on}',
      'my.yaml:1:26: routerSpec.sessionKey must be a text, not true; put it in quotes.',
    ],
    [
      'routerSpec: {routingLogic: round_robin}',
      `my.yaml:1:28: routerSpec.routingLogic must be one of ${routingLogics.join(', ')}, not the text "round_robin"; did you mean roundrobin?`,
    ],
    ['routerSpec: []', 'my.yaml:1:13: routerSpec must be a map, not an empty list.'],
    [
      'servingEngineSpec: {modelSpec: {name: m}}',
      'my.yaml:1:32: servingEngineSpec.modelSpec must be a list of maps, not a map; begin each item with "- ".',
    ],
    [
      'servingEngineSpec: {modelSpec: [{replicaCount: 1}]}',
      'my.yaml:1:33: servingEngineSpec.modelSpec[0].name is missing; it must be a text that is not empty.',
    ],
    [
      'routerSpec: {engineScrapeInterval: 30s}',
      'my.yaml:1:36: routerSpec.engineScrapeInterval must be a whole number of at least 1, not the text "30s"; write 30.',
    ],
    [
      'routerSpec: {extraArgs: "--log-level debug"}',
      'my.yaml:1:25: routerSpec.extraArgs must be a list of texts, not the text "--log-level debug"; write a list: ["--log-level","debug"].',
    ],
    [
      'servingEngineSpec: {env: {A: b}}',
      'my.yaml:1:26: servingEngineSpec.env must be a list of maps, not a map; write each variable as an item: - {name: A, value: "…"}.',
    ],
    [
      'servingEngineSpec: {cacheserverSpec: {}}',
      'my.yaml:1:21: servingEngineSpec.cacheserverSpec is not a known key; cacheserverSpec is known at the top.',
    ],
    [
      'servingEngineSpec: {labels: {a: [1]}}',
      'my.yaml:1:33: servingEngineSpec.labels.a must be a text, not a list.',
    ],
    [
      entry('kind: emulated'),
      `${key('kind')} must be one of embedded, vllm, url, not the text "emulated".`,
    ],
    [
      entry('urls: [ftp://a]'),
      'my.yaml:4:14: servingEngineSpec.modelSpec[0].urls[0] must be an http:// or https:// URL, not the text "ftp://a".',
    ],
    [entry('timeScale: 0'), `${key('timeScale')} must be a number above 0 or "inf", not 0.`],
    [
      entry('requestCPU: lots'),
      `${key('requestCPU')} must be a number of at least 0 or a quantity such as "500m" or "16Gi", not the text "lots".`,
    ],
    [
      entry('vllmConfig: {maxNumSeqs: 0}'),
      'my.yaml:4:32: servingEngineSpec.modelSpec[0].vllmConfig.maxNumSeqs must be a whole number of at least 1, not 0.',
    ],
    [
      entry('vllmConfig: {gpuMemoryUtilization: 1.5}'),
      'my.yaml:4:42: servingEngineSpec.modelSpec[0].vllmConfig.gpuMemoryUtilization must be a number above 0 and at most 1 or a text with such a number, not 1.5.',
    ],
    [
      entry('vllmConfig: {extraArgs: "--a"}'),
      'my.yaml:4:31: servingEngineSpec.modelSpec[0].vllmConfig.extraArgs must be a list of texts, not the text "--a"; write a list: ["--a"].',
    ],
  ];
  for (const [text, expected] of table) assert.deepEqual(refusal(text), [expected]);
});

test('checks a value that matches no alternative against the one that was meant', () => {
  assert.deepEqual(refusal(entry('keda: {enabled: true, triggers: {metadata: {}}}')), [
    'my.yaml:4:39: servingEngineSpec.modelSpec[0].keda.triggers.type is missing; it must be a text.',
  ]);
});

test('reports problems of flags in the order of the flags, those of their values last', () => {
  const sets = ['routerSpec.replicaCount=two', 'nonsense', 'a[x]=1'];
  assert.deepEqual(
    refusal({ sets }).map((line) => line.slice(0, line.indexOf(': '))),
    ['--set nonsense', '--set a[x]=1', '--set routerSpec.replicaCount=two'],
  );
});

test('does not repeat a secret of the wrong shape', () => {
  const [line = ''] = refusal('routerSpec: {vllmApiKey: sk-very-secret}');
  assert.match(line, /routerSpec\.vllmApiKey must be a map, not a text/);
  assert.ok(!line.includes('sk-very'));
  const [number = ''] = refusal('servingEngineSpec: {vllmApiKey: 123456}');
  assert.match(number, /vllmApiKey must be a text or .*, not a number\.$/);
  const [count = ''] = refusal('routerSpec: {replicaCount: -1}');
  assert.match(count, /replicaCount must be .*, not -1\.$/);
});

test('does not repeat a secret of a flag', () => {
  const sets = ['routerSpec.tag=v1,routerSpec.vllmApiKey.x.y=sk-a\\,sk-b,routerSpec.oops=1'];
  const text = refusal({ sets }).join('\n');
  assert.match(
    text,
    /^--set routerSpec\.tag=v1,routerSpec\.vllmApiKey\.x\.y=…,routerSpec\.oops=1: /,
  );
  assert.ok(!text.includes('sk-'), text);
});

test('names the file or flag that set the value', () => {
  const files = [
    { name: 'base.yaml', text: 'routerSpec:\n  replicaCount: 2\n  tag: v1\n' },
    { name: 'prod.yaml', text: '# two\nrouterSpec:\n  replicaCount: many\n' },
  ];
  assert.match(refusal({ files })[0] ?? '', /^prod\.yaml:3:17: routerSpec\.replicaCount must be/);
  const fixed = refusal({ files, sets: ['routerSpec.replicaCount=3', 'routerSpec.tag=4'] });
  assert.deepEqual(fixed, [
    '--set routerSpec.tag=4: routerSpec.tag must be a text, not 4; use --set-string for a string.',
  ]);
  resolveValues({ files, sets: ['routerSpec.replicaCount=3'], setStrings: ['routerSpec.tag=4'] });
});

test('later input takes precedence: preset, files from left to right, --set, then --set-string', () => {
  const { values } = resolveValues({
    preset: 'laptop',
    files: [
      { name: 'a', text: 'routerSpec: {tag: a, repository: a, rootPath: a, sessionKey: a}' },
      { name: 'b', text: 'routerSpec: {repository: b, rootPath: b, sessionKey: b}' },
    ],
    sets: ['routerSpec.rootPath=c,routerSpec.sessionKey=c', 'routerSpec.sessionKey=d'],
    setStrings: ['routerSpec.sessionKey=5'],
  });
  const { tag, repository, rootPath, sessionKey, routingLogic } = values.routerSpec;
  assert.deepEqual([tag, repository, rootPath, sessionKey], ['a', 'b', 'c', '5']);
  assert.equal(routingLogic, 'predictive');
});

test('reports all problems of all sources, each on a line', () => {
  const lines = refusal({
    files: [
      { name: 'a.yaml', text: 'routerSpek: {}\nrouterSpec: {tag: 1, tag: 2}\n' },
      {
        name: 'b.yaml',
        text: 'cacheserverSpec: {servicePort: x}\nrouterSpec:\n  routingLogic: session\n',
      },
    ],
    sets: ['nonsense'],
  });
  assert.deepEqual(
    lines.map((line) => line.slice(0, line.indexOf(': '))),
    ['a.yaml:1:1', 'a.yaml:2:27', 'b.yaml:1:32', 'b.yaml:3:17', '--set nonsense'],
  );
});

test('does not check combinations of values that are wrong by themselves', () => {
  const text = 'routerSpec: {autoscaling: {minReplicas: 9, maxReplicas: ten}}';
  assert.equal(refusal(text).length, 1);
});

test('does not check the values of a file that is not YAML, and parses the other files', () => {
  const files = [
    { name: 'a.yaml', text: 'a: [1' },
    { name: 'b.yaml', text: 'b: {' },
  ];
  const lines = refusal({ files, sets: ['servingEngineSpec.modelSpec[0].replicaCount=2'] });
  assert.ok(
    lines.length >= 2 && lines.every((line) => line.includes('not valid YAML')),
    String(lines),
  );
});

test('truncates a long report and counts the rest', () => {
  const unknownKeys = (count: number) =>
    refusal(Array.from({ length: count }, (_, index) => `zz${index}: 1`).join('\n'));
  assert.equal(unknownKeys(30).length, 21);
  assert.equal(unknownKeys(30).at(-1), '… and 10 more problems.');
  assert.equal(unknownKeys(21).at(-1), '… and 1 more problem.');
  assert.equal(unknownKeys(20).length, 20);
  assert.match(unknownKeys(20).at(-1) ?? '', /^my\.yaml:20:1: zz19/);
});

test('quotes the first forty characters of a long text', () => {
  const text = (count: number) => refusal(`routerSpec: {replicaCount: ${'x'.repeat(count)}}`)[0];
  assert.match(text(40) ?? '', /not the text "x{40}"\.$/);
  assert.match(text(41) ?? '', /not the text "x{40}…"\.$/);
});

test('returns values or a report for any text, however damaged', () => {
  const texts = presets.map(({ yaml }) => yaml);
  const damage = fc.record({
    text: fc.constantFrom(...texts),
    at: fc.nat(1000),
    length: fc.nat(12),
    insert: fc.constantFrom(
      '',
      ' ',
      '\n',
      '\t',
      ':',
      '- ',
      '{',
      ']',
      '"',
      '&a ',
      '*a',
      '<<: ',
      '!!x ',
      '|',
      '#',
      '\0',
      '~',
      '9',
    ),
  });
  fc.assert(
    fc.property(damage, ({ text, at, length, insert }) => {
      const broken = text.slice(0, at) + insert + text.slice(at + length);
      try {
        resolveValues({ files: [{ name: 'f', text: broken }] });
      } catch (error) {
        assert.ok(error instanceof ValuesError, broken);
        for (const { place, sentence } of error.problems) {
          assert.ok((place.line ?? 0) > 0 && !sentence.includes('\n'), sentence);
        }
      }
    }),
  );
});

test('reports an unknown preset with the existing ones', () => {
  assert.throws(
    () => resolveValues({ preset: 'labtop' }),
    /^InputError: --preset labtop is not a preset; did you mean laptop\? Known: laptop, quick-test, /,
  );
});
