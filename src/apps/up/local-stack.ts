// A stack without a view, for a command that needs one while it measures.
import type { Values } from '../../core/values/index.ts';
import { freePorts } from '../../io/processes/index.ts';
import { overrideValues } from './override-values.ts';
import { RunningStack } from './stack.ts';
import type { UpOptions } from './up.ts';

export interface LocalStack {
  /** Base URL of the router, or of the only engine. */
  readonly url: string;
  /** Ends all its processes; requests in flight are finished unless `hurry` aborts. */
  stop(hurry?: AbortSignal): Promise<void>;
}

/**
 * Starts the stack of `values` at free ports of the loopback address, without page and Prometheus.
 *
 * @throws {SpillwayError} One sentence, if it cannot start; nothing is left running.
 */
export async function startLocalStack(
  values: Values,
  { self, environment, signals }: Pick<UpOptions, 'self' | 'environment' | 'signals'>,
): Promise<LocalStack> {
  const [port] = await freePorts(1);
  const own = overrideValues(values, { host: '127.0.0.1', port, dashboard: false });
  const { spillway } = own;
  const stack = await RunningStack.create({
    values: {
      ...own,
      spillway: {
        ...spillway,
        enginePort: 0,
        observability: { ...spillway.observability, prometheus: false },
      },
    },
    ...{ self, environment },
    hooks: { onLine: () => undefined, onState: () => undefined },
  });
  const onStop = (): void => void stack.stop(signals.hurry);
  signals.stop.addEventListener('abort', onStop, { once: true });
  try {
    await stack.start();
  } finally {
    signals.stop.removeEventListener('abort', onStop);
  }
  const [first] = stack.members;
  return {
    url: own.routerSpec.enableRouter ? stack.url : (first?.backend.url ?? stack.url),
    stop: (hurry) => stack.stop(hurry),
  };
}
