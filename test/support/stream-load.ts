// An open load of streams: so many begin per second, however long the earlier ones take, each on a connection of its own.
// A stream is good if it has every token that it asked for, and its end.
import { request } from 'node:http';

export interface StreamLoadOptions {
  /** Of the server. */
  readonly url: string;
  readonly model: string;
  readonly perSecond: number;
  readonly tokens: number;
}

/** A stream that failed. */
export interface BadStream {
  /** Seconds from the beginning of the load to that of the stream. */
  readonly atSeconds: number;
  readonly why: string;
}

export interface StreamLoadResult {
  readonly streams: number;
  readonly bad: readonly BadStream[];
  /** Sorted, in seconds. */
  readonly ttft: readonly number[];
}

const streamTimeoutMs = 120_000;
/** As many as fit into any report. */
const badMax = 1_000;

export class StreamLoad {
  readonly #options: StreamLoadOptions;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #running = new Set<Promise<void>>();
  readonly #bad: BadStream[] = [];
  readonly #ttft: number[] = [];
  #streams = 0;

  constructor(options: StreamLoadOptions) {
    this.#options = options;
    // A timer that is late makes up for it.
    this.#timer = setInterval(() => {
      const due = Math.floor(this.seconds * options.perSecond);
      while (this.#streams < due) this.#begin();
    }, 5);
  }

  /** Since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  get streams(): number {
    return this.#streams;
  }

  get bad(): readonly BadStream[] {
    return this.#bad;
  }

  /** Begins no more streams, and waits for the others. */
  async end(): Promise<StreamLoadResult> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
    const ttft = this.#ttft.toSorted((a, b) => a - b);
    return { streams: this.#streams, bad: this.#bad, ttft };
  }

  #begin(): void {
    const atSeconds = this.seconds;
    const index = this.#streams++;
    const work = this.#stream(index)
      .catch((error: Error) => {
        if (this.#bad.length < badMax) this.#bad.push({ atSeconds, why: error.message });
      })
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  #stream(index: number): Promise<void> {
    const { url, model, tokens } = this.#options;
    const began = performance.now();
    const body = JSON.stringify({
      ...{ model, stream: true, max_tokens: tokens, ignore_eos: true },
      messages: [{ role: 'user', content: `Stream ${index}: tell me a story.` }],
    });
    return new Promise((resolve, reject) => {
      const sent = request(`${url}/v1/chat/completions`, {
        ...{ method: 'POST', agent: false, signal: AbortSignal.timeout(streamTimeoutMs) },
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      });
      sent.on('error', reject);
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          if (text === '') this.#ttft.push((performance.now() - began) / 1000);
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const why = faultOf(response.statusCode ?? 0, text, tokens);
          if (why === undefined) resolve();
          else reject(new Error(why));
        });
      });
      sent.end(body);
    });
  }
}

function faultOf(status: number, text: string, tokens: number): string | undefined {
  if (status !== 200) return `status ${status}: ${text.slice(0, 200)}`;
  const events = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length));
  if (events.at(-1) !== '[DONE]') return `cut after ${events.length} events`;
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as Chunk);
  const failure = chunks.find(({ error }) => error !== undefined);
  if (failure !== undefined) return `error event: ${failure.error?.message}`;
  const contents = chunks.filter(({ choices }) => choices?.[0]?.delta?.content);
  if (contents.length === 0) return 'no content';
  const reason = chunks.flatMap(({ choices }) => choices ?? []).at(-1)?.finish_reason;
  // Of a maximum of tokens, a response has all if that was what ended it.
  return reason === 'length' ? undefined : `ended with ${reason} instead of ${tokens} tokens`;
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string };
    readonly finish_reason?: string | null;
  }[];
}
