// Request ids: the client's is kept, and no two attempts in flight ever share one, because vLLM has
// mixed up the streams of equal ids (vLLM #10583, #27723).
import { randomFillSync } from 'node:crypto';

/** Ids that are longer or contain other bytes are replaced, because ids appear in log lines and headers. */
const clientIdPattern = /^[\x21-\x7e]{1,256}$/;

/** The client's request id if it is valid, else a new one. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && clientIdPattern.test(given) ? given : randomId();
}

const randomBytes = Buffer.allocUnsafeSlow(16 * 256);
let used = randomBytes.length;
const hexDigits = Buffer.from('0123456789abcdef', 'latin1');
/** The hyphens stay; digits are written between them. */
const idText = Buffer.alloc(36, '-');

/**
 * A random UUID (RFC 9562, version 4), as `randomUUID` returns. That one joins 20 strings, which the socket's
 * write must join again: with the garbage, 1 % of a small request.
 */
function randomId(): string {
  if (used === randomBytes.length) {
    randomFillSync(randomBytes);
    used = 0;
  }
  randomBytes[used + 6] = ((randomBytes[used + 6] as number) & 0x0f) | 0x40;
  randomBytes[used + 8] = ((randomBytes[used + 8] as number) & 0x3f) | 0x80;
  let at = 0;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) at++;
    const byte = randomBytes[used++] as number;
    idText[at++] = hexDigits[byte >> 4] as number;
    idText[at++] = hexDigits[byte & 15] as number;
  }
  return idText.toString('latin1');
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
