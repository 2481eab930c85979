// A source that is read periodically. Compares each set with the last one, and keeps the last if
// the source cannot be read.
import { setTimeout as sleep } from 'node:timers/promises';
import { changesBetween, endpointsByUrl } from './changes.ts';
import {
  type DiscoveredEndpoint,
  type EndpointChange,
  type EndpointSource,
  endpointsMax,
  type SourceLog,
  type Wait,
} from './endpoint-source.ts';
import { SourceProblem } from './source-problem.ts';

/** The result of one reading. */
export interface Look {
  /** Each URL once. */
  readonly endpoints: readonly DiscoveredEndpoint[];
  /** Time until the next reading. */
  readonly againMs: number;
}

export interface PolledSourceOptions {
  readonly name: string;
  /**
   * Reads the whole set; undefined if it is not known yet. Errors are logged. In both cases the
   * last set stays in force.
   */
  readonly look: (signal: AbortSignal) => Promise<Look | undefined>;
  /** Time until the next reading if this one returned no set. */
  readonly retryMs: number;
  /**
   * Whether a failed first reading ends the iteration with its error; otherwise the set starts
   * empty.
   */
  readonly mustStart: boolean;
  readonly log: SourceLog;
  /** @default real time */
  readonly wait?: Wait | undefined;
}

/**
 * @example
 * // A source that asks an inventory over HTTP every 10 s.
 * polledSource({ name: url, look: async () => ({ endpoints: await ask(url), againMs: 10_000 }), … });
 */
export function polledSource(options: PolledSourceOptions): EndpointSource {
  return { name: options.name, changes: (signal) => changesOf(options, signal) };
}

async function* changesOf(
  options: PolledSourceOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly EndpointChange[]> {
  const { name, look, retryMs, mustStart, log, wait = realWait } = options;
  let known: ReadonlyMap<string, DiscoveredEndpoint> = new Map();
  let isFirst = true;
  const problem = new SourceProblem(name, log);
  while (!signal.aborted) {
    let pauseMs = retryMs;
    let changes: readonly EndpointChange[] = [];
    try {
      const found = await look(signal);
      if (signal.aborted) return;
      if (found !== undefined) {
        const { endpoints, againMs } = found;
        if (endpoints.length > endpointsMax) {
          throw new Error(`${endpoints.length} engines are more than the ${endpointsMax} allowed`);
        }
        pauseMs = againMs;
        changes = changesBetween(known, endpoints);
        known = endpointsByUrl(endpoints);
        problem.solved();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFirst && mustStart) throw error;
      problem.report(error, known.size);
    }
    if (isFirst || changes.length > 0) yield changes;
    isFirst = false;
    await wait(pauseMs, signal);
  }
}

/** Waits in real time; a program does not end while it does. */
export async function heldWait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** Waits in real time; a program may end while it does. */
export async function realWait(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
}
