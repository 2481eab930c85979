// Compares the key of a caller with a secret.
import { createHash, timingSafeEqual } from 'node:crypto';

/** Returns a check that takes the same time however many characters of a wrong text match. */
export function secretCheck(secret: string): (given: string) => boolean {
  const wanted = digest(secret);
  return (given) => timingSafeEqual(digest(given), wanted);
}

/** Maps texts of any length to digests of equal length, which `timingSafeEqual` requires. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
