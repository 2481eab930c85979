// One client of bench/chaos.ts: sends a streamed request and checks every event of the response.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';

/** A request and what its unbroken response is. */
export interface Variant {
  readonly path: '/v1/chat/completions' | '/v1/completions';
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly text: string;
  readonly finishReason: string;
  readonly completionTokens: number;
}

/**
 * `failed`: there was no text: no connection, a status other than 200, an error event, or a response without one.
 * `cut`: the text ended with an error event, or without its end. `malformed`: the events are not one stream. `duplicated`:
 * the unbroken text, and a part of it once more. `unequal`: the text, its end or its usage differ in another way.
 */
export type Outcome = 'ok' | 'failed' | 'cut' | 'malformed' | 'duplicated' | 'unequal';

export const badOutcomes = ['failed', 'cut', 'malformed', 'duplicated', 'unequal'] as const;

export interface Finding {
  readonly outcome: Outcome;
  /** What was wrong, in a few words. */
  readonly why: string;
  readonly firstTokenMs: number;
  readonly longestGapMs: number;
}

/** Maximum time of a response; the longest unbroken one takes some seconds on an idle machine. */
const responseMsMax = 300_000;
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

class Bad extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

/** Reads an unbroken response. @throws {Error} If there is none. */
export async function ask(url: string, variant: Variant): Promise<Answer> {
  return new StreamCheck(variant).read(await post(url, variant));
}

/** Compares a response with the unbroken one. @param id Of the request. */
export async function check(
  url: string,
  variant: Variant,
  expected: Answer,
  id: string,
): Promise<Finding> {
  const stream = new StreamCheck(variant);
  try {
    const answer = await stream.read(await post(url, variant, id));
    if (isRepeated(answer.text, expected.text)) throw new Bad('duplicated', 'a part twice');
    for (const key of ['text', 'finishReason', 'completionTokens'] as const) {
      if (answer[key] !== expected[key]) throw new Bad('unequal', `another ${key}`);
    }
    return { outcome: 'ok', why: '', ...stream.times };
  } catch (error) {
    const found = error instanceof Bad ? error.outcome : 'failed';
    const outcome = found === 'failed' && stream.hasText ? 'cut' : found;
    return { outcome, why: error instanceof Error ? error.message : `${error}`, ...stream.times };
  }
}

/** Whether a text is another one with a part of it inserted. */
function isRepeated(text: string, expected: string): boolean {
  if (text.length <= expected.length) return false;
  let same = 0;
  while (same < expected.length && text[same] === expected[same]) same++;
  return text.endsWith(expected.slice(same));
}

function post(url: string, { path, body }: Variant, id?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      `${url}${path}`,
      {
        ...{ agent, method: 'POST', signal: AbortSignal.timeout(responseMsMax) },
        headers: {
          'Content-Type': 'application/json',
          ...(id !== undefined && { 'X-Request-Id': id }),
        },
      },
      resolve,
    );
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

interface Event {
  readonly id?: string;
  readonly error?: { readonly message?: string };
  readonly choices?: readonly {
    readonly index?: number;
    readonly text?: string;
    readonly delta?: { readonly role?: string; readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly completion_tokens?: number } | null;
}

class StreamCheck {
  readonly #isChat: boolean;
  readonly #beganMs = performance.now();
  #lastMs = this.#beganMs;
  #firstTokenMs = Number.NaN;
  #longestGapMs = 0;
  #id: string | undefined;
  #text = '';
  #finishReason: string | undefined;
  #completionTokens: number | undefined;
  #roles = 0;
  #isDone = false;

  constructor(variant: Variant) {
    this.#isChat = variant.path === '/v1/chat/completions';
  }

  /** Whether the client has received any of the text. */
  get hasText(): boolean {
    return this.#text !== '';
  }

  get times() {
    return { firstTokenMs: this.#firstTokenMs, longestGapMs: this.#longestGapMs };
  }

  async read(response: IncomingMessage): Promise<Answer> {
    if (response.statusCode !== 200) {
      response.resume();
      throw new Bad('failed', `status ${response.statusCode}`);
    }
    let rest = '';
    try {
      for await (const part of response.setEncoding('utf8')) {
        const events = (rest + part).split('\n\n');
        rest = events.pop() ?? '';
        for (const event of events) this.#take(event);
      }
    } catch (error) {
      if (error instanceof Bad) throw error;
      throw new Bad('failed', `broke off: ${error instanceof Error ? error.message : error}`);
    }
    if (!this.#isDone) throw new Bad('failed', 'ended without [DONE]');
    if (rest.trim() !== '') throw new Bad('malformed', 'ended within an event');
    if (this.#finishReason === undefined) throw new Bad('malformed', 'no finish reason');
    if (this.#completionTokens === undefined) throw new Bad('malformed', 'no usage');
    if (this.#isChat && this.#roles !== 1) throw new Bad('malformed', `${this.#roles} roles`);
    return {
      text: this.#text,
      finishReason: this.#finishReason,
      completionTokens: this.#completionTokens,
    };
  }

  #take(event: string): void {
    const lines = event.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
    if (lines.length === 0) return;
    if (this.#isDone) throw new Bad('malformed', 'an event after [DONE]');
    if (lines.some((line) => !line.startsWith('data: '))) {
      throw new Bad('malformed', `a line that is not data: ${event.slice(0, 80)}`);
    }
    const data = lines.map((line) => line.slice('data: '.length)).join('\n');
    if (data === '[DONE]') {
      this.#isDone = true;
      return;
    }
    let parsed: Event;
    try {
      parsed = JSON.parse(data) as Event;
    } catch {
      throw new Bad('malformed', `an event that is not JSON: ${data.slice(0, 80)}`);
    }
    if (parsed.error !== undefined) throw new Bad('failed', `error event: ${parsed.error.message}`);
    this.#takeParsed(parsed);
  }

  #takeParsed({ id, choices = [], usage }: Event): void {
    this.#id ??= id;
    if (id !== this.#id) throw new Bad('malformed', 'two ids in one stream');
    if (usage) this.#completionTokens = usage.completion_tokens;
    for (const { index, text, delta, finish_reason: reason } of choices) {
      if (index !== 0) throw new Bad('malformed', `choice ${index}`);
      if (delta?.role !== undefined) this.#roles++;
      const piece = (this.#isChat ? delta?.content : text) ?? '';
      if (piece !== '') this.#takeText(piece);
      if (typeof reason !== 'string') continue;
      if (this.#finishReason !== undefined) throw new Bad('malformed', 'two finish reasons');
      this.#finishReason = reason;
    }
  }

  #takeText(piece: string): void {
    if (this.#finishReason !== undefined) throw new Bad('malformed', 'text after its end');
    const nowMs = performance.now();
    if (this.#text === '') this.#firstTokenMs = nowMs - this.#beganMs;
    else this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.#text += piece;
  }
}

/** Closes the idle connections of all clients; later requests open others. */
export function closeClients(): void {
  agent.destroy();
}
