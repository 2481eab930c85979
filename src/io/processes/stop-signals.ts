// The signals by which people and process managers ask a program to end.

/** Signals that arrive this close together are one request: npm and the terminal both send SIGINT. */
const sameRequestMs = 500;

export interface StopSignals {
  /** Aborted on the first SIGINT, SIGTERM or SIGHUP; the reason is the signal's name. */
  readonly stop: AbortSignal;
  /** Aborted on a later one: do not wait any longer. */
  readonly hurry: AbortSignal;
  /** Ends the watch. */
  release(): void;
}

/** Watches the stop signals of this process. */
export function watchStopSignals(): StopSignals {
  const stop = new AbortController();
  const hurry = new AbortController();
  let firstAt = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    if (!stop.signal.aborted) {
      firstAt = performance.now();
      stop.abort(name);
    } else if (performance.now() - firstAt > sameRequestMs) {
      hurry.abort(name);
    }
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    stop: stop.signal,
    hurry: hurry.signal,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
