// The two servers of a comparison: those that run already, and those that values files describe.
import { argv, env, execArgv, execPath, stderr } from 'node:process';
import { withoutCredentials } from '../../core/base/index.ts';
import type { StopSignals } from '../../io/signals/index.ts';
import type { GroupCluster, HeldServer, Server } from './server.ts';
import type { Source } from './sources.ts';

/** Where a server comes from. */
export interface ServerPlan {
  readonly side: 'a' | 'b';
  readonly source: Exclude<Source, { readonly kind: 'run' | 'result' }>;
  /** Changes to its values file, `KEY=VALUE`. */
  readonly sets: readonly string[];
}

type Signals = Pick<StopSignals, 'stop' | 'hurry'>;

/**
 * Starts the stacks of values files, does the work, and stops them.
 *
 * @throws {SpillwayError} If a values file is wrong, which is found before anything starts, or its stack cannot start.
 */
export async function withServers<Result>(
  plans: readonly [ServerPlan, ServerPlan],
  signals: Signals,
  work: (a: Server, b: Server) => Promise<Result>,
  cluster: GroupCluster,
): Promise<Result> {
  const [startA, startB] = [await starterOf(plans[0], cluster), await starterOf(plans[1], cluster)];
  const held: HeldServer[] = [];
  try {
    for (const start of [startA, startB]) {
      held.push(await start(signals));
      signals.stop.throwIfAborted();
    }
    return await work(held[0] as Server, held[1] as Server);
  } finally {
    await Promise.all(held.map((server) => server.stop(signals.hurry)));
  }
}

/** Reads the values file, and returns what starts its stack. */
async function starterOf({ side, source, sets }: ServerPlan, cluster: GroupCluster) {
  if (source.kind === 'url') {
    const { url } = source;
    return async (): Promise<HeldServer> => ({
      url,
      name: withoutCredentials(url.href),
      stop: async () => {},
    });
  }
  if (source.kind === 'group') {
    const { group } = source;
    const { openGroup } = await import('./group-server.ts');
    return (): Promise<HeldServer> => openGroup(group, cluster);
  }
  // Only a comparison that starts engines loads what that takes.
  const [{ startLocalStack }, { loadValues }, { valuesChecks }] = await Promise.all([
    import('../../apps/up/index.ts'),
    import('../../io/values/index.ts'),
    import('../values-checks.ts'),
  ]);
  const setFlag = `--set-${side}` as const;
  const values = await loadValues({
    ...{ files: [source.file], sets, setFlag },
    ...(await valuesChecks()),
  });
  const name = [source.file, ...sets].join(' ');
  return async (signals: Signals): Promise<HeldServer> => {
    stderr.write(`spillway: starting ${side.toUpperCase()} from ${name}\n`);
    const self = [execPath, ...execArgv, argv[1] as string] as const;
    const stack = await startLocalStack(values, { self, environment: env, signals });
    return { url: new URL(stack.url), name, stop: (hurry) => stack.stop(hurry) };
  };
}
