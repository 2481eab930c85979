// Ctrl-C in commands that compute: one line and status 130, at whatever point it comes.
import { writeSync } from 'node:fs';
import {
  InterruptedError,
  interruptedStatus,
  stopped,
  watchStopSignals,
} from '../io/signals/index.ts';

/**
 * Runs a command that has nothing to save when it is interrupted.
 *
 * @param command What it calls with `interruptible` ends at once, anything else when it next waits.
 */
export async function endedByCtrlC<T>(command: () => Promise<T>): Promise<T> {
  const signals = watchStopSignals(['SIGINT']);
  void stopped(signals).then(() => endInterrupted('nothing was written'));
  try {
    return await command();
  } catch (error) {
    if (error instanceof InterruptedError) endInterrupted('nothing was written');
    throw error;
  } finally {
    signals.release();
  }
}

/**
 * Ends the program after Ctrl-C.
 *
 * @param lost What was not written.
 * @param status Exit status, if another signal ended it.
 */
export function endInterrupted(lost: string, status = interruptedStatus): never {
  // A line that shows progress stays, and the cursor is at its end. Not by `process.stderr`: where the work was
  // stopped while it wrote to that, it would never write again.
  writeSync(2, `${process.stderr.isTTY ? '\n' : ''}spillway: interrupted; ${lost}.\n`);
  process.exit(status);
}
