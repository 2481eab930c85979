// Runs promtool.
import { execFile } from 'node:child_process';

export interface Ended {
  readonly code: number;
  /** Standard output and standard error. */
  readonly said: string;
}

/** Less than the deadline of a test, so that its error says what took long. On a busy machine, the rules' tests take minutes. */
const deadlineMs = 540_000;

export function promtool(...words: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    execFile(
      'promtool',
      words,
      { maxBuffer: 64 << 20, timeout: deadlineMs },
      (error, out, errors) => {
        // Part of an output is no result.
        if (error?.killed) reject(new Error(`promtool took longer than ${deadlineMs / 1000} s`));
        else resolve({ code: Number(error?.code ?? 0), said: out + errors });
      },
    );
  });
}
