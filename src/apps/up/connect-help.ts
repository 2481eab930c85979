// Snippets that a user can paste to call the stack.
import type { Values } from '../../core/values/index.ts';

export interface ConnectTarget {
  /** Base URL of the API, with /v1. */
  readonly baseUrl: string;
  readonly model: string;
  /** The environment variable that holds the user's API key; undefined if no key is required. */
  readonly keyVariable: string | undefined;
  /** PEM file of the server's certificate; undefined for plain HTTP. */
  readonly certificate?: string | undefined;
}

/** The environment variable that holds a client's key: the router's, or else that of the engines. */
export function keyVariableOf(
  { servingEngineSpec: { vllmApiKey }, routerSpec: { enableRouter } }: Values,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (enableRouter && environment.SPILLWAY_ROUTER_API_KEY) return 'SPILLWAY_ROUTER_API_KEY';
  const hasEngineKey = typeof vllmApiKey === 'string' && vllmApiKey !== '';
  return environment.VLLM_API_KEY || hasEngineKey ? 'VLLM_API_KEY' : undefined;
}

/** A shell command that requests one short response. */
export function curlLine({ baseUrl, model, keyVariable, certificate }: ConnectTarget): string {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 32,
  });
  const key = keyVariable ? ` -H "authorization: Bearer $${keyVariable}"` : '';
  const trust = certificate === undefined ? '' : ` --cacert ${quoted(certificate)}`;
  return `curl ${baseUrl}/chat/completions${trust} -H 'content-type: application/json'${key} -d ${quoted(body)}`;
}

/** Lines of a Node module that streams one response with the `openai` package. */
export function openaiNodeLines(target: ConnectTarget): string[] {
  const { baseUrl, model, keyVariable, certificate } = target;
  const key = keyVariable ? `process.env.${keyVariable}` : `'none'`;
  return [
    ...(certificate === undefined
      ? []
      : [
          `// Run with NODE_EXTRA_CA_CERTS=${quoted(certificate)}, unless Node trusts its authority.`,
        ]),
    `import OpenAI from 'openai';`,
    `const client = new OpenAI({ baseURL: ${JSON.stringify(baseUrl)}, apiKey: ${key} });`,
    `const stream = await client.chat.completions.create({`,
    `  model: ${JSON.stringify(model)}, stream: true, max_tokens: 32,`,
    `  messages: [{ role: 'user', content: 'Hello' }],`,
    `});`,
    `for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');`,
  ];
}

/** Single quotes for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
