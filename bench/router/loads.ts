// The requests that the benchmark sends, and their concurrency.

export interface Load {
  readonly name: string;
  readonly connections: number;
  /**
   * The response: JSON; or a stream of 20 events, each in a write of its own (`burst`), all in one write (`once`), or one
   * every 5 ms (`paced`). A burst is read in a varying number of pieces, the others in the same number by every router.
   */
  readonly mode: 'json' | 'burst' | 'once' | 'paced';
  readonly bodyBytes: number;
  /** Number of different prompts, sent in turn. */
  readonly prompts: number;
}

export const loads: readonly Load[] = [
  { name: '2 KB JSON, c64', connections: 64, mode: 'json', bodyBytes: 2_048, prompts: 200 },
  { name: '20 events burst, c64', connections: 64, mode: 'burst', bodyBytes: 2_048, prompts: 200 },
  { name: '20 events at once, c64', connections: 64, mode: 'once', bodyBytes: 2_048, prompts: 200 },
  { name: '20 events 5 ms, c200', connections: 200, mode: 'paced', bodyBytes: 2_048, prompts: 200 },
  { name: '64 KB body, c20', connections: 20, mode: 'json', bodyBytes: 65_536, prompts: 40 },
  { name: '220 KB body, c20', connections: 20, mode: 'json', bodyBytes: 225_280, prompts: 40 },
];

/** Returns the request bodies of a load: chats with a shared system prompt and a question. */
export function bodiesOf(load: Load): string[] {
  return Array.from({ length: load.prompts }, (_, i) => bodyOf(load, i));
}

function bodyOf({ mode, bodyBytes }: Load, index: number): string {
  const words = 'The quick brown fox said \\"jump\\" over the lazy dog.\\n';
  const head = `{"model":"m","messages":[{"role":"system","content":"mode=${mode} `;
  const question = `"},{"role":"user","content":"Question ${String(index).padStart(6, '0')}: `;
  const tail = `"}],"max_tokens":20,"stream":${mode !== 'json'}}`;
  const room = bodyBytes - head.length - question.length - tail.length;
  const system = words.repeat(Math.floor(room / 2 / words.length));
  const user = words.repeat(Math.floor((room - system.length) / words.length));
  const pad = ' '.repeat(room - system.length - user.length);
  return head + system + question + user + pad + tail;
}
