// Runs promtool.
import { execFile } from 'node:child_process';

export interface Ended {
  readonly code: number;
  /** Standard output and standard error. */
  readonly said: string;
}

const deadlineMs = 120_000;

export function promtool(...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      'promtool',
      words,
      { maxBuffer: 64 << 20, timeout: deadlineMs },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), said: out + errors }),
    );
  });
}
