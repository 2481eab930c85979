// Waits for the signals by which users and process managers stop a program.
import { constants } from 'node:os';
import { acknowledgeSignal } from '../lifeline/index.ts';

/** Signals that arrive within this time are one request: npm and the terminal both send SIGINT. */
const sameRequestMs = 500;

export interface StopSignals {
  /** Aborted on the first signal; the reason is the signal's name. */
  readonly stop: AbortSignal;
  /** Aborted on a later signal: do not wait any longer. */
  readonly hurry: AbortSignal;
  /** Ends the watch, but for further signals of a request that was just made: they stay without effect. */
  release(): void;
}

/**
 * Watches the stop signals of this process, which then no longer end it by themselves.
 *
 * @param names By default without SIGHUP, because watching it would disable `nohup`.
 */
export function watchStopSignals(
  names: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): StopSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let firstAt = 0;
  const sameRequestLeftMs = () => firstAt + sameRequestMs - performance.now();
  const onSignal = (name: NodeJS.Signals): void => {
    acknowledgeSignal(name);
    if (!stop.signal.aborted) {
      firstAt = performance.now();
      stop.abort(name);
    } else if (sameRequestLeftMs() < 0) {
      hurry.abort(name);
    }
  };
  for (const name of names) process.on(name, onSignal);
  const end = (): void => {
    for (const name of names) process.off(name, onSignal);
  };
  return {
    stop: stop.signal,
    hurry: hurry.signal,
    release() {
      if (!stop.signal.aborted || sameRequestLeftMs() <= 0) end();
      // A program that stops at once still has to print its result.
      else setTimeout(end, sameRequestLeftMs()).unref();
    },
  };
}

/** Resolves with the name of the first signal. */
export function stopped({ stop }: Pick<StopSignals, 'stop'>): Promise<string> {
  return new Promise((resolve) => {
    const onStop = (): void => resolve(String(stop.reason));
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
  });
}

/** Exit status after Ctrl-C, as in shells. */
export const interruptedStatus = 128 + constants.signals.SIGINT;

/** Exit status for the first signal, as in shells: 128 plus its number. */
export function signalStatus({ stop }: Pick<StopSignals, 'stop'>): number {
  return 128 + constants.signals[stop.reason as NodeJS.Signals];
}

/** Ends this process on a later signal, with that signal's status. */
export function endOnHurry({ hurry }: Pick<StopSignals, 'hurry'>): void {
  hurry.addEventListener('abort', () => process.exit(signalStatus({ stop: hurry })), {
    once: true,
  });
}
