// The two servers of a comparison: those that run already, and those that values files describe.
import { argv, env, execArgv, execPath, stderr } from 'node:process';
import type { StopSignals } from '../../io/signals/index.ts';
import type { Source } from './sources.ts';

/** A server that gets load. */
export interface Server {
  readonly url: URL;
  /** What the user calls it. */
  readonly name: string;
}

type ServerSource = Exclude<Source, { readonly kind: 'run' }>;

/** Values files with their `--set`s. */
export interface ServerPlan {
  readonly source: ServerSource;
  readonly sets: readonly string[];
}

/**
 * Starts the stacks of values files, does the work, and stops them.
 *
 * @throws {SpillwayError} If a values file is wrong, which is found before anything starts, or its stack cannot start.
 */
export async function withServers<Result>(
  plans: readonly [ServerPlan, ServerPlan],
  signals: Pick<StopSignals, 'stop' | 'hurry'>,
  work: (a: Server, b: Server) => Promise<Result>,
): Promise<Result> {
  if (plans.every(({ source }) => source.kind === 'url')) {
    const [a, b] = plans.map(({ source }) => serverOf(source as ServerSource & { kind: 'url' }));
    return work(a as Server, b as Server);
  }
  // Only a comparison that starts engines loads what that takes.
  const [{ startLocalStack }, { readValues }, { valuesChecks }] = await Promise.all([
    import('../../apps/up/index.ts'),
    import('../../io/values/index.ts'),
    import('../values-checks.ts'),
  ]);
  const checks = await valuesChecks();
  const read = await Promise.all(
    plans.map(({ source, sets }) =>
      source.kind === 'url'
        ? undefined
        : readValues({ files: [source.file], sets, setStrings: [], ...checks }),
    ),
  );
  const stacks: { stop(hurry?: AbortSignal): Promise<void> }[] = [];
  const self = [execPath, ...execArgv, argv[1] as string] as const;
  try {
    const servers: Server[] = [];
    for (const [index, { source, sets }] of plans.entries()) {
      if (source.kind === 'url') {
        servers.push(serverOf(source));
        continue;
      }
      const side = 'AB'[index];
      const name = [source.file, ...sets].join(' ');
      stderr.write(`spillway: starting ${side} from ${name}\n`);
      const values = (read[index] as NonNullable<(typeof read)[number]>).values;
      const stack = await startLocalStack(values, { self, environment: env, signals });
      stacks.push(stack);
      servers.push({ url: new URL(stack.url), name });
      signals.stop.throwIfAborted();
    }
    return await work(servers[0] as Server, servers[1] as Server);
  } finally {
    await Promise.all(stacks.map((stack) => stack.stop(signals.hurry)));
  }
}

function serverOf({ url }: Extract<Source, { kind: 'url' }>): Server {
  return { url, name: url.href };
}
