import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import type { AnsweredApi } from './answered-api.ts';
import { curlLine, keyVariableOf, nodeLines } from './connect-help.ts';

const target = {
  ...({ baseUrl: 'http://127.0.0.1:8000', model: "it's", api: 'chat' } as const),
  keyVariable: undefined,
};

test('the curl line survives a shell: quotes in a model name are escaped', () => {
  assert.equal(
    curlLine(target),
    `curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' -d '{"model":"it'\\''s","messages":[{"role":"user","content":"Hello"}],"max_tokens":32}'`,
  );
});

test('a required key is read from the environment and never part of the text', () => {
  const keyed = { ...target, keyVariable: 'VLLM_API_KEY' };
  assert.match(curlLine(keyed), /-H "authorization: Bearer \$VLLM_API_KEY"/);
  assert.match(nodeLines(keyed).join('\n'), /apiKey: process\.env\.VLLM_API_KEY/);
});

test('clients need the key of the router, else that of the engines', () => {
  const variable = (
    vllmApiKey: string | undefined,
    environment: Readonly<Record<string, string>> = {},
    enableRouter = true,
  ) => {
    const key = vllmApiKey === undefined ? [] : [`servingEngineSpec.vllmApiKey=${vllmApiKey}`];
    const sets = [`routerSpec.enableRouter=${enableRouter}`, ...key];
    return keyVariableOf(resolveValues({ files: [], sets }).values, environment);
  };
  const [router, engines] = ['SPILLWAY_ROUTER_API_KEY', 'VLLM_API_KEY'];
  assert.equal(variable(undefined, { [router]: 'r', [engines]: 'e' }), router);
  assert.equal(variable(undefined, { [engines]: 'e' }), engines);
  assert.equal(variable('secret', { [router]: 'r' }, false), engines);
  assert.equal(variable('secret'), engines);
  assert.equal(variable(undefined), undefined);
  assert.equal(variable(''), undefined);
});

test('the request is one that the model answers', () => {
  const of = (api: AnsweredApi) => {
    const line = curlLine({ ...target, model: 'm', api });
    return [/8000(\S+)/.exec(line)?.[1], /-d '(.*)'$/.exec(line)?.[1]];
  };
  const pair = '["Paris is the capital of France.","The Loire is a river in France."]';
  assert.deepEqual(of('completion'), [
    '/v1/completions',
    '{"model":"m","prompt":"Hello","max_tokens":32}',
  ]);
  assert.deepEqual(of('embedding'), ['/v1/embeddings', '{"model":"m","input":"Hello"}']);
  assert.deepEqual(of('rerank'), [
    '/rerank',
    `{"model":"m","query":"What is the capital of France?","documents":${pair}}`,
  ]);
  assert.deepEqual(of('score'), [
    '/score',
    `{"model":"m","text_1":"What is the capital of France?","text_2":${pair}}`,
  ]);
  const nodeOf = (api: AnsweredApi) => nodeLines({ ...target, model: 'm', api }).join('\n');
  assert.match(nodeOf('embedding'), /client\.embeddings\.create\(\{ model: "m"/);
  assert.match(nodeOf('completion'), /client\.completions\.create/);
  assert.match(nodeOf('rerank'), /fetch\("http:\/\/127\.0\.0\.1:8000\/rerank", \{/);
});
