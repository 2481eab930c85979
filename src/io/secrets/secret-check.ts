// Compares what a caller shows with a secret.
import { createHash, timingSafeEqual } from 'node:crypto';

/** Returns a check that takes the same time however much of a wrong text is right. */
export function secretCheck(secret: string): (given: string) => boolean {
  const wanted = digest(secret);
  return (given) => timingSafeEqual(digest(given), wanted);
}

/** Texts of any length become equally long ones, which is what `timingSafeEqual` compares. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
