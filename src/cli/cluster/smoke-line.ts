// A check of a smoke test as one line.
import type { SmokeCheck } from '../../tools/deploy/index.ts';

export function checkLine({ name, result, detail }: SmokeCheck): string {
  const mark = { ok: '✓', failed: '✗', skipped: '-' }[result];
  return `${mark} ${name}: ${detail}`;
}
