// Bodies that are not JSON, or not what the route expects; wrong types, methods and paths.
import type { Draw } from '../draw.ts';
import type { FuzzRequest } from './index.ts';
import { anyJson } from './texts.ts';

const routes = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/chat/completions/batch',
  '/v1/chat/completions/render',
  '/v1/completions/render',
  '/v1/completions/derender',
  '/inference/v1/generate',
  '/v1/messages/render',
  '/v1/responses/render',
  '/v1/chat/completions/derender',
  '/generative_scoring',
  '/v1/systemone',
  '/invocations',
  '/inference/v1/abort_requests',
  '/tokenize',
  '/detokenize',
] as const;

const valid = '{"model":"tiny","prompt":"Hi","messages":[{"role":"user","content":"Hi"}],';

const bodies: readonly unknown[] = [
  '',
  ' ',
  '{',
  '}',
  '{"a" 1}',
  '{"a":1,}',
  "{'a': 1}",
  '{"a": undefined}',
  '[1,]',
  'nul',
  'NaN',
  '"text"',
  '5',
  'null',
  'true',
  '[]',
  '{} x',
  '{"a":"\u0001"}',
  '{"a":"tab\tin it"}',
  '{"a":"\\x41"}',
  '{"a":"\\u12"}',
  '{"a":01}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":+1}',
  '\ufeff{"a":1}',
  '"unfinished',
  '{"a": "unfinished}',
  `${valid}"max_tokens":NaN}`,
  `${valid}"temperature":NaN,"max_tokens":2}`,
  `${valid}"temperature":Infinity,"max_tokens":2}`,
  `${valid}"top_p":-Infinity,"max_tokens":2}`,
  `${valid}"max_tokens":1e400}`,
  `${valid}"max_tokens":2,"max_tokens":1,"temperature":0,"ignore_eos":true}`,
  `${valid}"max_tokens":99999999999999999999999999}`,
  `${valid}"seed":9223372036854775808,"max_tokens":1}`,
  `${valid}"max_tokens":2.0,"temperature":0,"ignore_eos":true}`,
  `${valid}"max_tokens":1,"temperature":0,"ignore_eos":true,"__proto__":{"n":3},"constructor":1}`,
  (draw: Draw) => '['.repeat(draw.pick([10, 500, 2000])),
  (draw: Draw) => `${'{"a":'.repeat(draw.pick([10, 500, 2000]))}1`,
];

export function malformedRequest(draw: Draw): FuzzRequest {
  const path = draw.pick(routes);
  switch (draw.integer(0, 9)) {
    case 0:
      return { method: 'POST', path, body: draw.pick(anyJson) ?? 'null', headers: json };
    case 1:
      return {
        ...{ method: 'POST', path, body: { model: 'tiny', prompt: 'Hi' } },
        headers: {
          'Content-Type': draw.pick([
            'text/plain',
            'application/x-www-form-urlencoded',
            'application/json;charset=latin-1',
            'APPLICATION/JSON',
            'application/problem+json',
            'application/jsonp',
            'json',
          ]),
        },
      };
    case 2:
      return { method: draw.pick(['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']), path };
    case 3:
      return {
        method: draw.pick(['GET', 'POST']),
        path: draw.pick([
          '/nowhere',
          '/v1',
          '/v1/',
          `${path}/`,
          `${path}?x=1`,
          '/v1/models/absent',
          '/v1/embeddings',
          '/V1/models',
          '//v1/models',
          '/v1/models?x=%zz',
          '/health',
          '/ping',
          '/v1/responses/resp_1',
          '/v1/responses/resp_1/cancel',
        ]),
      };
    default:
      return { method: 'POST', path, body: draw.make(bodies), headers: json };
  }
}

const json = { 'Content-Type': 'application/json' };
