import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curlLine, openaiNodeLines } from './connect-help.ts';

const target = { baseUrl: 'http://127.0.0.1:8000/v1', model: "it's", keyVariable: undefined };

test('the curl line survives a shell: quotes in a model name are escaped', () => {
  assert.equal(
    curlLine(target),
    `curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' -d '{"model":"it'\\''s","messages":[{"role":"user","content":"Hello"}],"max_tokens":32}'`,
  );
});

test('where a key is asked for it comes from the environment, never from the text', () => {
  const keyed = { ...target, keyVariable: 'VLLM_API_KEY' };
  assert.match(curlLine(keyed), /-H "authorization: Bearer \$VLLM_API_KEY"/);
  assert.match(openaiNodeLines(keyed).join('\n'), /apiKey: process\.env\.VLLM_API_KEY/);
});
