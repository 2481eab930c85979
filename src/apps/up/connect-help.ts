// What a person can paste to talk to the stack.

export interface ConnectTarget {
  /** Base URL of the API, with /v1. */
  readonly baseUrl: string;
  readonly model: string;
  /** Whether the engines ask for an API key, which the reader has in VLLM_API_KEY. */
  readonly needsKey: boolean;
}

/** A line for a shell that asks for one short answer. */
export function curlLine({ baseUrl, model, needsKey }: ConnectTarget): string {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 32,
  });
  const key = needsKey ? ` -H "authorization: Bearer $VLLM_API_KEY"` : '';
  return `curl ${baseUrl}/chat/completions -H 'content-type: application/json'${key} -d ${quoted(body)}`;
}

/** Lines of a module for Node with the `openai` package that streams one answer. */
export function openaiNodeLines({ baseUrl, model, needsKey }: ConnectTarget): string[] {
  const key = needsKey ? 'process.env.VLLM_API_KEY' : `'none'`;
  return [
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
