// Tokenizes long prompts and reads tokenizers off the event loop, where each of them would delay every stream.
import { Worker } from 'node:worker_threads';
import type { NotTokenized, PromptKind, TokenizedPrompt } from '../../core/prompts/index.ts';
import type { TokenizerSearch } from './find-tokenizer.ts';
import type { SharedDefinition, ThreadRequest, ThreadResponse } from './thread-messages.ts';

/**
 * - `busy`: too many bytes wait already.
 * - `late`: it was not done within the deadline.
 */
export type NotInTime = 'busy' | 'late';

/** Bytes that may wait in the thread: half a second of work for text that was never seen. */
const waitingBytesMaxDefault = 4 * 1_048_576;
/** A pick does not wait longer for tokens than a long prompt takes whose text was never seen (1 MB). */
const timeoutMsDefault = 200;

/** In a package the sources are bundled, and the thread's program is a file next to the bundle. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './tokenizer-worker.ts' : './tokenizer-worker.js',
  import.meta.url,
);

interface Waiting {
  readonly bytes: number;
  settle(response: ThreadResponse | undefined): void;
}

/** Starts the thread with the first message. If it ends, its prompts have no tokens and it is started again. */
export class TokenizerThread {
  readonly #waitingBytesMax: number;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #definitions = new Map<string, SharedDefinition>();
  #waitingBytes = 0;
  #worker: Worker | undefined = undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(
    options: { readonly waitingBytesMax?: number; readonly timeoutMs?: number | undefined } = {},
  ) {
    this.#waitingBytesMax = options.waitingBytesMax ?? waitingBytesMaxDefault;
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault;
  }

  /** Finds a tokenizer. @throws {Error} If there is none; the message says why. */
  find(search: TokenizerSearch): Promise<{ definition: SharedDefinition; origin: string }> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, {
        bytes: 0,
        settle(response) {
          if (response !== undefined && 'definition' in response) resolve(response);
          else {
            const why = response && 'problem' in response ? response.problem : undefined;
            reject(new Error(why ?? 'the thread that reads tokenizers ended'));
          }
        },
      });
      this.#post({ kind: 'find', id, search });
    });
  }

  /** Uses a tokenizer for prompts under this name from now on. */
  use(name: string, definition: SharedDefinition): void {
    this.#definitions.set(name, definition);
    this.#post({ kind: 'use', name, definition });
  }

  drop(name: string): void {
    if (this.#definitions.delete(name)) this.#post({ kind: 'drop', name });
  }

  /**
   * @param body The JSON body; it is copied.
   * @returns The tokens, or why there are none. Never rejects.
   */
  tokenize(
    name: string,
    api: PromptKind,
    body: Uint8Array,
  ): Promise<TokenizedPrompt | NotTokenized | NotInTime> {
    const bytes = body.length;
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#waitingBytesMax) {
      return Promise.resolve('busy');
    }
    const copy = new Uint8Array(bytes);
    copy.set(body);
    const id = ++this.#lastId;
    this.#waitingBytes += bytes;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve('late'), this.#timeoutMs);
      this.#waiting.set(id, {
        bytes,
        settle(response) {
          clearTimeout(timer);
          if (response !== undefined && 'tokens' in response) {
            const { tokens, cacheSalt } = response;
            resolve({ tokens, cacheSalt });
          } else resolve(response !== undefined && 'not' in response ? response.not : 'late');
        },
      });
      this.#post({ kind: 'tokenize', id, name, api, body: copy }, [copy.buffer]);
    });
  }

  /** Ends the thread; prompts that wait have no tokens. */
  close(): void {
    this.#isClosed = true;
    void this.#worker?.terminate();
  }

  #post(request: ThreadRequest, moved: ArrayBuffer[] = []): void {
    if (this.#isClosed) {
      if ('id' in request) this.#settle(request.id, undefined);
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.postMessage(request, moved);
  }

  #start(): Worker {
    const worker = new Worker(program);
    worker.unref();
    worker.on('message', (response: ThreadResponse) => this.#settle(response.id, response));
    // The exit event follows.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const id of [...this.#waiting.keys()]) this.#settle(id, undefined);
    });
    for (const [name, definition] of this.#definitions) {
      worker.postMessage({ kind: 'use', name, definition } satisfies ThreadRequest);
    }
    return worker;
  }

  #settle(id: number, response: ThreadResponse | undefined): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#waitingBytes -= waiting.bytes;
    waiting.settle(response);
  }
}
