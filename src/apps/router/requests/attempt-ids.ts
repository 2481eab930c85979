// Request ids: the client's is kept, and no two attempts in flight ever share one, because vLLM has
// mixed up the streams of equal ids (vLLM #10583, #27723).
import { randomUUID } from 'node:crypto';

/** Ids that are longer or contain other bytes are replaced, because ids appear in log lines and headers. */
const clientIdPattern = /^[\x21-\x7e]{1,256}$/;

/** The client's request id if it is valid, else a new one. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && clientIdPattern.test(given) ? given : randomUUID();
}

export class AttemptIds {
  readonly #underWay = new Set<string>();
  #counter = 0;

  /** The id itself unless another attempt uses it now. Release it with `end`. */
  begin(requestId: string): string {
    const id = this.#underWay.has(requestId)
      ? `${requestId}-${(++this.#counter).toString(36)}`
      : requestId;
    this.#underWay.add(id);
    return id;
  }

  end(id: string): void {
    this.#underWay.delete(id);
  }
}
