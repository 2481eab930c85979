// Stored responses, as in vLLM with VLLM_ENABLE_RESPONSES_API_STORE=1. vLLM never removes one; here the
// oldest are removed when there are too many, those in progress last.
import type { ChatMessage } from '../../../core/api/index.ts';
import { StoredResponse } from './stored-response.ts';

interface StoreLimits {
  readonly responsesMax: number;
  /** Maximum total length of all messages, responses and events, in characters of their JSON. */
  readonly charactersMax: number;
}

const defaultLimits: StoreLimits = { responsesMax: 10_000, charactersMax: 64 * 1024 * 1024 };

export class ResponseStore {
  readonly #limits: StoreLimits;
  /** Responses by id, oldest first. */
  readonly #responses = new Map<string, StoredResponse>();

  constructor(limits: StoreLimits = defaultLimits) {
    this.#limits = limits;
  }

  get(id: string): StoredResponse | undefined {
    return this.#responses.get(id);
  }

  /** Keeps a finished response. @param messages The conversation that it responds to. */
  keep(id: string, response: object, messages: readonly ChatMessage[]): void {
    const stored = new StoredResponse({}, messages);
    stored.finish(response);
    this.put(id, stored);
  }

  /** Keeps a response that may still be in progress. */
  put(id: string, stored: StoredResponse): void {
    this.#responses.delete(id);
    this.#responses.set(id, stored);
    let characters = 0;
    for (const one of this.#responses.values()) characters += one.characters;
    while (
      this.#responses.size > 1 &&
      (this.#responses.size > this.#limits.responsesMax || characters > this.#limits.charactersMax)
    ) {
      const oldest = this.#oldest(id);
      characters -= this.#responses.get(oldest)?.characters ?? 0;
      this.#responses.delete(oldest);
    }
  }

  #oldest(newest: string): string {
    let running: string | undefined;
    for (const [id, { isOver }] of this.#responses) {
      if (id === newest) continue;
      if (isOver) return id;
      running ??= id;
    }
    return running ?? newest;
  }
}
