// The first event of a stream: an engine may report there that it failed, after a head with status 200.
import { ChunkedReader, type ResponseHead } from '../../../io/http/index.ts';

/** Maximum bytes of an error event that is looked at; longer ones are passed on as they are. */
const errorEventBytesMax = 65_536;
/** With so many characters an event is known not to be an error: `data: {"error":`, with some spaces. */
const decisiveChars = 24;

const errorStart = /^(?:event: ?error\r?\n|data: ?\{\s*"error"\s*:)/;
const eventEnd = /\r?\n\r?\n/;

/** Anthropic's names of errors that a client causes, or that another engine may not have; others are the engine's. */
const anthropicStatuses: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  overloaded_error: 503,
};
const engineErrorStatus = 500;

interface ErrorFields {
  readonly code?: unknown;
  readonly type?: unknown;
}

/**
 * The status that an error event stands for, such as vLLM's `code`.
 *
 * @param event From its first line; may be followed by others.
 * @returns Undefined if it is no error.
 * @example errorEventStatus('data: {"error":{"message":"too long","code":400}}\n\n'); // 400
 */
export function errorEventStatus(event: string): number | undefined {
  if (!errorStart.test(event)) return undefined;
  const json = /^data: ?(.*)$/m.exec(event)?.[1];
  try {
    // What cannot be read is the engine's fault, as an error without a status is.
    const { error } = JSON.parse(String(json)) as { readonly error: ErrorFields };
    const { code, type } = error;
    const status = Number(code ?? anthropicStatuses[String(type)]);
    return status >= 400 && status <= 599 ? status : engineErrorStatus;
  } catch {
    return engineErrorStatus;
  }
}

/** Whether a stream has the usual start, `data: {"` and a key that does not begin with an e: then it is no error. */
export function beginsAsUsual(bytes: Buffer, isChunked: boolean): boolean {
  const at = isChunked ? bytes.indexOf(byteLf) + 1 : 0;
  if (bytes.length < at + usualStart.length + 1) return false;
  if (bytes[at + usualStart.length] === byteE) return false;
  return bytes.compare(usualStart, 0, usualStart.length, at, at + usualStart.length) === 0;
}

/** Collects the start of a stream until it is known whether it begins with an error. */
export class FirstEvent {
  readonly #isChunked: boolean;
  readonly #held: Buffer[] = [];
  #chunks = 0;
  #status: number | undefined = undefined;

  constructor({ framing }: ResponseHead) {
    this.#isChunked = framing === 'chunked';
  }

  /** The status that the first event stands for; undefined if it is no error. */
  get errorStatus(): number | undefined {
    return this.#status;
  }

  /** Chunks that began in all reads so far. */
  get chunks(): number {
    return this.#chunks;
  }

  /**
   * @param bytes A read of the body, valid during the call.
   * @param ended Whether the body ends with it.
   * @returns All bytes so far once the first event is known; undefined to wait for more.
   */
  take(bytes: Buffer, ended: boolean, chunks: number): Buffer | undefined {
    this.#chunks += chunks;
    if (this.#held.length === 0 && beginsAsUsual(bytes, this.#isChunked)) return bytes;
    const all = Buffer.concat([...this.#held, bytes]);
    const text = this.#textOf(all);
    const isWhole = eventEnd.test(text);
    const isOpen = errorStart.test(text) || text.length < decisiveChars;
    if (isOpen && !isWhole && !ended && all.length <= errorEventBytesMax) {
      this.#held.splice(0, this.#held.length, all);
      return undefined;
    }
    this.#status = errorEventStatus(text);
    return all;
  }

  #textOf(bytes: Buffer): string {
    if (!this.#isChunked) return bytes.toString();
    let text = '';
    new ChunkedReader().read(bytes, 0, bytes.length, (from, start, end) => {
      text += from.toString('latin1', start, end);
    });
    return text;
  }
}

const usualStart = Buffer.from('data: {"');
const byteLf = 0x0a;
const byteE = 'e'.charCodeAt(0);
