// Waits until a server lists its models.
import { setTimeout as sleep } from 'node:timers/promises';
import { SpillwayError } from '../../core/base/index.ts';
import { findModel } from './target.ts';

/** Time between two attempts. */
const retryMs = 500;

/**
 * @param options.seconds Deadline.
 * @throws {NoResponseError | InputError} What the last attempt said, if the server is not ready by then.
 */
export async function waitReady(
  options: Parameters<typeof findModel>[0] & { readonly seconds: number },
): Promise<void> {
  const until = performance.now() + 1000 * options.seconds;
  for (;;) {
    try {
      await findModel(options);
      return;
    } catch (error) {
      const isOver = performance.now() + retryMs >= until;
      if (!(error instanceof SpillwayError) || isOver || options.signal.aborted) throw error;
    }
    await sleep(retryMs, undefined, { signal: options.signal });
  }
}
