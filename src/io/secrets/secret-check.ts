// Compares the key of a caller with secrets.
import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Returns a check whether a text is one of the secrets. It takes the same time however many characters of a wrong text
 * match, and for a right one whichever it is.
 */
export function secretCheck(...secrets: readonly string[]): (given: string) => boolean {
  const wanted = secrets.map(digest);
  return (given) => {
    const found = digest(given);
    let isRight = false;
    for (const one of wanted) if (timingSafeEqual(found, one)) isRight = true;
    return isRight;
  };
}

/** Maps texts of any length to digests of equal length, which `timingSafeEqual` requires. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
