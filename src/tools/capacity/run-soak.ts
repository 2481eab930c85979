// A soak: one load for hours, in windows.
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../core/base/index.ts';
import type { RequestRecord, ServiceLevel } from '../../core/stats/index.ts';
import { judgeSoak, type SoakVerdict } from './soak-verdict.ts';
import { type SoakWindow, SoakWindows } from './soak-windows.ts';

export interface SoakOptions {
  /** Length of a window in wall-clock seconds. */
  readonly windowSeconds: number;
  /** Counts good responses. */
  readonly limits: ServiceLevel | undefined;
  /** Change over the soak that does not matter, such as 0.05. */
  readonly driftMax: number;
}

export interface SoakContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Runs the load until its end, and reports each request that has ended. */
  readonly runLoad: (onRecord: (record: RequestRecord) => void) => Promise<void>;
  /** Resident memory of the server in bytes, if it reports it. */
  readonly serverBytes: () => Promise<number | undefined>;
  readonly onWindow?: (window: SoakWindow) => void;
  /** Waits for a time; rejects when the signal is aborted. @default with a timer of Node */
  readonly sleep?: (seconds: number, signal: AbortSignal) => Promise<void>;
}

export interface SoakOutcome extends SoakVerdict {
  readonly windows: readonly SoakWindow[];
  readonly windowSeconds: number;
  readonly errors: ReadonlyMap<string, number>;
  /** Requests in all, with those of the last window, which was cut off. */
  readonly requests: number;
  readonly isPartial: boolean;
}

/** Runs a soak; a window that the end of the load cuts off is counted, but not judged. */
export async function runSoak(options: SoakOptions, context: SoakContext): Promise<SoakOutcome> {
  const { windowSeconds, driftMax } = options;
  const { clock, signal, onWindow, sleep = sleepByTimer } = context;
  const windows = new SoakWindows(options.limits);
  let requests = 0;
  const ended = new AbortController();
  const isOver = AbortSignal.any([signal, ended.signal]);
  const startSeconds = clock.nowSeconds();
  const load = context
    .runLoad((record) => {
      requests++;
      windows.add(record);
    })
    .finally(() => ended.abort());
  const closing = (async () => {
    for (let number = 1; ; number++) {
      const left = startSeconds + number * windowSeconds - clock.nowSeconds();
      await sleep(Math.max(0, left), isOver).catch(() => {});
      if (isOver.aborted) return;
      const bytes = await context.serverBytes();
      const window = windows.close(number * windowSeconds, bytes);
      onWindow?.(window);
    }
  })();
  await Promise.all([load, closing]);
  return {
    ...judgeSoak(windows.windows, driftMax),
    windows: windows.windows,
    windowSeconds,
    errors: windows.errors,
    requests,
    isPartial: signal.aborted,
  };
}

async function sleepByTimer(seconds: number, signal: AbortSignal): Promise<void> {
  await wait(seconds * 1000, undefined, { signal });
}
