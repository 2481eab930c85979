// Long synchronous work that Ctrl-C can end: while it runs, the event loop cannot deliver the signal.
import { setImmediate } from 'node:timers/promises';
import { Script } from 'node:vm';
import { SpillwayError } from '../../core/base/index.ts';
import { acknowledgeSignal } from '../lifeline/index.ts';
import { interruptedStatus } from './stop-signals.ts';

/** Ctrl-C ended the command before it had a result. */
export class InterruptedError extends SpillwayError {
  override readonly name = 'InterruptedError';
  readonly code = 'ERR_INTERRUPTED';
  override readonly exitCode = interruptedStatus;
}

/** Where the script below finds the work: it sees nothing but global variables. */
const key = Symbol.for('spillway.interruptible');
const callWork = new Script(`globalThis[Symbol.for('${key.description}')]()`);

/**
 * Lets the listeners of signals hear what has arrived. One turn of the event loop can end without a look at signals,
 * the second cannot.
 */
export async function signalsHeard(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/**
 * Runs synchronous work that SIGINT ends at once. Only for `vm` scripts does Node watch the signal in a thread of its own,
 * so the work is called from one; its speed is the same. Listeners for SIGINT are not called meanwhile, and would never
 * be called for one that has arrived just before.
 * Not to be nested.
 *
 * @param signal Ends the work before it begins.
 * @throws {InterruptedError} On SIGINT; `finally` blocks in the work have not run.
 */
export async function interruptible<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  await signalsHeard();
  signal?.throwIfAborted();
  const global = globalThis as { [key]?: () => T };
  global[key] = work;
  try {
    return callWork.runInThisContext({ breakOnSigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
    acknowledgeSignal('SIGINT');
    throw new InterruptedError('interrupted.', { cause: error });
  } finally {
    delete global[key];
  }
}
