import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValuesError } from './problem.ts';
import { resolveValues } from './resolve.ts';

function refusal(text: string, sets: readonly string[] = []): string {
  try {
    resolveValues({ files: [{ name: 'my.yaml', text }], sets });
  } catch (error) {
    if (error instanceof ValuesError) return error.message;
    throw error;
  }
  return assert.fail(`accepted: ${text}`);
}

test('a control character is refused wherever a text may be', () => {
  const one = '"a\\u0001b"';
  const files: readonly (readonly [text: string, key: string])[] = [
    [`routerSpec: {tag: ${one}}`, 'routerSpec.tag'],
    [`servingEngineSpec: {modelSpec: [{name: ${one}}]}`, 'servingEngineSpec.modelSpec[0].name'],
    [
      `servingEngineSpec: {modelSpec: [{name: m, vllmConfig: {extraArgs: [${one}]}}]}`,
      'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs[0]',
    ],
    [`servingEngineSpec: {env: [{name: A, value: ${one}}]}`, 'servingEngineSpec.env[0].value'],
    [`servingEngineSpec: {labels: {a: ${one}}}`, 'servingEngineSpec.labels.a'],
    [`servingEngineSpec: {labels: {${one}: a}}`, 'a key below servingEngineSpec.labels'],
    [`extraObjects: [{metadata: {name: ${one}}}]`, 'extraObjects[0].metadata.name'],
    [`spillway: {vllmCommand: [${one}]}`, 'spillway.vllmCommand[0]'],
  ];
  for (const [text, key] of files) {
    const message = refusal(text);
    assert.ok(
      message.endsWith(`: ${key} has the control character U+0001; remove it.`),
      `${text}: ${message}`,
    );
    assert.match(message, /^my\.yaml:1:\d+: /);
  }
  assert.match(refusal('routerSpec: {tag: "\\u009b1m"}'), /U\+009B/);
  assert.match(refusal('', ['routerSpec.tag=a\u007f']), /U\+007F; remove it/);
});

test('a line break is refused in a text of one line, and allowed where texts have several', () => {
  assert.match(refusal('routerSpec: {tag: "a\\nb"}'), /tag has a line break; write it on one line/);
  assert.match(refusal('routerSpec: {tag: "a\\tb"}'), /tag has a tab; remove it/);
  const text =
    'servingEngineSpec:\n  env: [{name: A, value: "a\\nb"}]\n  modelSpec:\n    - name: m\n      chatTemplateConfigMap: |\n        a\n        b\n      hf_token: |\n        x\n      vllmConfig: {extraArgs: [--chat-template, "a\\n\\tb"]}\n      initContainer: {name: i, image: x, args: ["a\\nb"]}\n';
  resolveValues({ files: [{ name: 'my.yaml', text }] });
});
