// What becomes of a program whose output nobody reads, or has no room.
import { stderr, stdout } from 'node:process';

/** Number of deliveries of results that are in progress. */
let deliveries = 0;
let problem: NodeJS.ErrnoException | undefined;

/**
 * Ends the program when standard output cannot be written, unless results are being delivered: their files are
 * written first. A reader such as `head` may close the pipe early, which is not an error; a full disk is.
 * Messages that nobody reads are dropped.
 */
export function watchStandardOutput(): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (problem === undefined) report(error);
    problem = error;
    if (deliveries === 0) process.exit();
  });
  stderr.on('error', () => undefined);
}

/** Does work that a broken standard output must not end. */
export async function withoutReader<Result>(work: () => Promise<Result>): Promise<Result> {
  deliveries++;
  try {
    return await work();
  } finally {
    deliveries--;
  }
}

function report({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  stderr.write(`spillway: Cannot write to standard output: ${message}.\n`);
  process.exitCode = 1;
}
