import { setTimeout as sleep } from 'node:timers/promises';

/** Waits. An aborted signal ends the wait early, without an error. */
export async function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => undefined);
}
