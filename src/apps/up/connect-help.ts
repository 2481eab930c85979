// What a person can paste to talk to the stack.

export interface ConnectTarget {
  /** Base URL of the API, with /v1. */
  readonly baseUrl: string;
  readonly model: string;
  /** The environment variable in which the reader has the API key; undefined if none is asked for. */
  readonly keyVariable: string | undefined;
}

/** A line for a shell that asks for one short answer. */
export function curlLine({ baseUrl, model, keyVariable }: ConnectTarget): string {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 32,
  });
  const key = keyVariable ? ` -H "authorization: Bearer $${keyVariable}"` : '';
  return `curl ${baseUrl}/chat/completions -H 'content-type: application/json'${key} -d ${quoted(body)}`;
}

/** Lines of a module for Node with the `openai` package that streams one answer. */
export function openaiNodeLines({ baseUrl, model, keyVariable }: ConnectTarget): string[] {
  const key = keyVariable ? `process.env.${keyVariable}` : `'none'`;
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
