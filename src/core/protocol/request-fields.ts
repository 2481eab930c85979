// The fields of an OpenAI or Anthropic request that a router needs, read from the bytes of its body.
import {
  JsonSyntaxError,
  jsonNumberAt,
  jsonStringAt,
  jsonTrueAt,
  skimJsonObject,
} from './json-skim.ts';

/** Fields of a request body. */
export interface RequestFields {
  readonly model: string | undefined;
  /** Offset of the value of `model` in the body; -1 if absent. */
  readonly modelStart: number;
  readonly modelEnd: number;
  readonly stream: boolean;
  readonly outputTokensMax: number | undefined;
  /** vLLM's scheduling priority: lower is more urgent. */
  readonly priority: number | undefined;
  /** Whether `background` is true: the engine works on after its response, and keeps the result for later requests. */
  readonly background: boolean;
  /** `previous_response_id`, where the reader looks for it: the stored response that the request continues. */
  readonly previousResponseId: string | undefined;
  /** Whether `store` is false, where the reader looks for it: no later request can refer to the response. */
  readonly isUnstored: boolean;
  /** The value of the session key, if present. */
  readonly session: string | undefined;
  /** Whether `stream_options` is present, with which the end of a stream reports token counts. */
  readonly hasStreamOptions: boolean;
  /** The value of `return_token_ids`, with which engines report the ids of their tokens; undefined if absent. */
  readonly returnsTokenIds: boolean | undefined;
  /** Offset of the value of `cache_salt` in the body; -1 if absent. */
  readonly cacheSaltStart: number;
  readonly cacheSaltEnd: number;
  /**
   * The raw bytes that decide the KV cache, in the order in which chat templates render them: salt,
   * tools, system text, then messages, prompt or input.
   */
  readonly prompt: readonly Uint8Array[];
  readonly promptBytes: number;
}

/**
 * Maximum length of model names and session ids, in bytes of JSON. Both become keys of tables, labels of
 * metrics and parts of log lines.
 */
const nameBytesMax = 1024;

/** Keys whose values are the prompt, in rendering order. */
const promptKeys = ['cache_salt', 'tools', 'system', 'instructions', 'messages', 'prompt', 'input'];
const lengthKeys = ['max_tokens', 'max_completion_tokens', 'max_output_tokens'];
const firstKeys = [
  'model',
  'stream',
  'stream_options',
  'return_token_ids',
  'priority',
  'background',
];
/** Only requests that create a response have them. */
const responseKeys = ['previous_response_id', 'store'];
const keysAlways = [...firstKeys, ...lengthKeys, ...promptKeys];
const priorityKey = firstKeys.indexOf('priority');
const backgroundKey = firstKeys.indexOf('background');
const firstLength = firstKeys.length;
const firstPrompt = firstLength + lengthKeys.length;

/**
 * Reads the fields of request bodies.
 *
 * @example
 * const reader = new RequestFieldsReader({ sessionKey: 'user' });
 * reader.read(Buffer.from('{"model":"m","prompt":"Hi","user":"ann"}')).session; // 'ann'
 */
export class RequestFieldsReader {
  readonly #keys: readonly string[];
  readonly #sessionIndex: number;
  /** Of `previous_response_id`; -1 without it. */
  readonly #responseIndex: number;
  /** Of the body that `read` reads. */
  readonly #spans: Int32Array;

  /**
   * @param options `sessionKey`: top-level key of the body with the session id. `createsResponses`: whether the bodies
   *   are those of requests that create a response.
   */
  constructor(
    options: {
      readonly sessionKey?: string | undefined;
      readonly createsResponses?: boolean;
    } = {},
  ) {
    const { sessionKey, createsResponses = false } = options;
    const keys = createsResponses ? [...keysAlways, ...responseKeys] : keysAlways;
    this.#responseIndex = createsResponses ? keysAlways.length : -1;
    this.#sessionIndex = sessionKey === undefined ? -1 : keys.length;
    this.#keys = sessionKey === undefined ? keys : [...keys, sessionKey];
    this.#spans = new Int32Array(2 * this.#keys.length);
  }

  /** @throws {JsonSyntaxError} If the body is not a JSON object, or a name in it is too long. */
  read(body: Uint8Array): RequestFields {
    return this.fieldsAt(body, skimJsonObject(body, this.#keys, this.#spans));
  }

  /** The keys whose spans `fieldsAt` needs. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  /**
   * The second half of `read`, for a body that was skimmed elsewhere.
   *
   * @param spans The result of `skimJsonObject(body, this.keys)`.
   * @throws {JsonSyntaxError} If a name is too long.
   */
  fieldsAt(body: Uint8Array, spans: Int32Array): RequestFields {
    const parts = promptParts(spans);
    const prompt = new Array<Uint8Array>(parts);
    let promptBytes = 0;
    for (let key = firstPrompt, part = 0; part < parts; key++) {
      const start = spans[2 * key] as number;
      if (start < 0) continue;
      const end = spans[2 * key + 1] as number;
      prompt[part++] = body.subarray(start, end);
      promptBytes += end - start;
    }
    let outputTokensMax: number | undefined;
    for (let key = firstLength; key < firstPrompt; key++) {
      outputTokensMax ??= numberAt(body, spans, key);
    }
    return {
      model: nameAt(body, spans, 0, 'model'),
      modelStart: spans[0] as number,
      modelEnd: spans[1] as number,
      stream: jsonTrueAt(body, spans[2] as number, spans[3] as number),
      hasStreamOptions: (spans[4] as number) >= 0,
      returnsTokenIds:
        (spans[6] as number) < 0
          ? undefined
          : jsonTrueAt(body, spans[6] as number, spans[7] as number),
      outputTokensMax,
      priority: numberAt(body, spans, priorityKey),
      background: jsonTrueAt(
        body,
        spans[2 * backgroundKey] as number,
        spans[2 * backgroundKey + 1] as number,
      ),
      previousResponseId:
        this.#responseIndex < 0
          ? undefined
          : nameAt(body, spans, this.#responseIndex, 'previous_response_id'),
      isUnstored: this.#responseIndex >= 0 && isFalseAt(body, spans, this.#responseIndex + 1),
      session: this.#sessionIndex < 0 ? undefined : this.#session(body, spans),
      cacheSaltStart: spans[2 * firstPrompt] as number,
      cacheSaltEnd: spans[2 * firstPrompt + 1] as number,
      prompt,
      promptBytes,
    };
  }

  /** Clients send session ids as strings or numbers. */
  #session(body: Uint8Array, spans: Int32Array): string | undefined {
    const key = this.#keys[this.#sessionIndex] as string;
    const text = nameAt(body, spans, this.#sessionIndex, key);
    if (text !== undefined) return text === '' ? undefined : text;
    return numberAt(body, spans, this.#sessionIndex)?.toString();
  }
}

/** Number of the prompt's keys that are present. */
function promptParts(spans: Int32Array): number {
  let parts = 0;
  for (let key = firstPrompt; key < firstPrompt + promptKeys.length; key++) {
    if ((spans[2 * key] as number) >= 0) parts++;
  }
  return parts;
}

function nameAt(
  body: Uint8Array,
  spans: Int32Array,
  index: number,
  key: string,
): string | undefined {
  const [start, end] = [spans[2 * index] as number, spans[2 * index + 1] as number];
  const isString = body[start] === 0x22;
  if (isString && end - start > nameBytesMax + 2) {
    throw new JsonSyntaxError(`"${key}" is longer than ${nameBytesMax} bytes.`);
  }
  return jsonStringAt(body, start, end);
}

function isFalseAt(body: Uint8Array, spans: Int32Array, key: number): boolean {
  const start = spans[2 * key] as number;
  return start >= 0 && body[start] === 0x66;
}

function numberAt(body: Uint8Array, spans: Int32Array, key: number): number | undefined {
  return jsonNumberAt(body, spans[2 * key] as number, spans[2 * key + 1] as number);
}
