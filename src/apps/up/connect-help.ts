// Snippets that a user can paste to call the stack.
import { routerKeyOf } from '../../core/launch/index.ts';
import { shellWord } from '../../core/quoting/index.ts';
import type { Values } from '../../core/values/index.ts';
import { type AnsweredApi, apiPaths } from './answered-api.ts';

export interface ConnectTarget {
  /** Base URL, without /v1. */
  readonly baseUrl: string;
  readonly model: string;
  /** What the model answers. */
  readonly api: AnsweredApi;
  /** The environment variable that holds the user's API key; undefined if no key is required. */
  readonly keyVariable: string | undefined;
  /** PEM file of the server's certificate; undefined for plain HTTP. */
  readonly certificate?: string | undefined;
}

/** The environment variable that holds a client's key: the router's, or else that of the engines. */
export function keyVariableOf(
  values: Values,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { vllmApiKey } = values.servingEngineSpec;
  const { enableRouter } = values.routerSpec;
  if (enableRouter && routerKeyOf(values, environment) !== undefined)
    return 'SPILLWAY_ROUTER_API_KEY';
  const hasEngineKey = typeof vllmApiKey === 'string' && vllmApiKey !== '';
  return environment.VLLM_API_KEY || hasEngineKey ? 'VLLM_API_KEY' : undefined;
}

/** A request of each API, small and with an answer that says something. */
function bodyOf(api: AnsweredApi, model: string): object {
  switch (api) {
    case 'chat':
      return { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 32 };
    case 'completion':
      return { model, prompt: 'Hello', max_tokens: 32 };
    case 'embedding':
    case 'classify':
    case 'pooling':
      return { model, input: 'Hello' };
    case 'rerank':
      return { model, query: question, documents: answers };
    case 'score':
      return { model, text_1: question, text_2: answers };
  }
}

const question = 'What is the capital of France?';
const answers = ['Paris is the capital of France.', 'The Loire is a river in France.'];

/** A shell command that requests one short response. */
export function curlLine(target: ConnectTarget): string {
  const { api, model, keyVariable, certificate } = target;
  const key = keyVariable ? ` -H "authorization: Bearer $${keyVariable}"` : '';
  const trust = certificate === undefined ? '' : ` --cacert ${shellWord(certificate)}`;
  const body = shellWord(JSON.stringify(bodyOf(api, model)));
  return `curl ${shellWord(urlOf(target))}${trust} -H 'content-type: application/json'${key} -d ${body}`;
}

function urlOf({ baseUrl, api }: ConnectTarget): string {
  return baseUrl + apiPaths[api];
}

/** Lines of a Node module that requests one response, with the `openai` package if that has the API. */
export function nodeLines(target: ConnectTarget): string[] {
  const { keyVariable, certificate } = target;
  const key = keyVariable ? `process.env.${keyVariable}` : `'none'`;
  return [
    ...(certificate === undefined
      ? []
      : [
          `// Run with NODE_EXTRA_CA_CERTS=${shellWord(certificate)}, unless Node trusts its authority.`,
        ]),
    ...(requestLines(target, key) ?? fetchLines(target)),
  ];
}

/** Undefined for an API that the package does not have. */
function requestLines({ baseUrl, api, model }: ConnectTarget, key: string): string[] | undefined {
  const name = JSON.stringify(model);
  const client = [
    `import OpenAI from 'openai';`,
    `const client = new OpenAI({ baseURL: ${JSON.stringify(`${baseUrl}/v1`)}, apiKey: ${key} });`,
  ];
  switch (api) {
    case 'chat':
      return [
        ...client,
        `const stream = await client.chat.completions.create({`,
        `  model: ${name}, stream: true, max_tokens: 32,`,
        `  messages: [{ role: 'user', content: 'Hello' }],`,
        `});`,
        `for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');`,
      ];
    case 'completion':
      return [
        ...client,
        `const stream = await client.completions.create({`,
        `  model: ${name}, stream: true, max_tokens: 32, prompt: 'Hello',`,
        `});`,
        `for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.text ?? '');`,
      ];
    case 'embedding':
      return [
        ...client,
        `const { data } = await client.embeddings.create({ model: ${name}, input: 'Hello' });`,
        `console.log(data[0].embedding.length, data[0].embedding.slice(0, 8));`,
      ];
    default:
      return undefined;
  }
}

function fetchLines(target: ConnectTarget): string[] {
  const { api, model, keyVariable } = target;
  const key = keyVariable ? `, authorization: \`Bearer \${process.env.${keyVariable}}\`` : '';
  return [
    `const response = await fetch(${JSON.stringify(urlOf(target))}, {`,
    `  method: 'POST',`,
    `  headers: { 'content-type': 'application/json'${key} },`,
    `  body: JSON.stringify(${JSON.stringify(bodyOf(api, model))}),`,
    `});`,
    `console.log(await response.json());`,
  ];
}
