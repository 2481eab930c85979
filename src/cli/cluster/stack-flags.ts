// Flags of the commands that work on a stack in a cluster.
import { type Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type Group, groupRelease, groups } from '../../core/deploy/index.ts';
import { NoClusterError } from '../../io/kubernetes/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import {
  Cluster,
  openTarget,
  type Release,
  readRelease,
  releaseNames,
  type Target,
  targets,
} from '../../tools/deploy/index.ts';

export interface StackFlags {
  readonly target: Target;
  readonly context?: string;
  readonly namespace?: string;
  readonly release: string;
  readonly group?: Group;
  /** Of bare metal. */
  readonly hosts?: string;
  readonly json?: true;
}

/** A stack in a cluster, and the signal that ends the command. */
export interface Stack {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly release: string;
  readonly signal: AbortSignal;
}

/** Adds `--target`, `--context`, `--namespace`, `--release` and `--json`. */
export function addStackFlags(command: Command): Command {
  return command
    .optionsGroup('Cluster:')
    .addOption(
      new Option('--target <target>', 'where the stack is; it chooses the context')
        .choices(targets)
        .default('existing'),
    )
    .option(
      '--context <name>',
      'context of the kubeconfig (default: the current one, or that of the target)',
    )
    .option('-n, --namespace <name>', 'namespace (default: that of the context)')
    .option('--release <name>', 'name of the Helm release', 'vllm')
    .addOption(
      new Option(
        '--group <group>',
        'one of two stacks on nodes with the label spillway/group=a or b; its release is RELEASE-a or RELEASE-b',
      ).choices(groups),
    )
    .option(
      '--hosts <list>',
      'bare metal: hosts such as gpu1,admin@gpu2:2222, or localhost; the router is on the first (default: spillway.bareMetal.hosts)',
    )
    .optionsGroup('Output:')
    .option('--json', 'print the result as one JSON object')
    .exitOverride();
}

/**
 * Runs the work of a command on a stack; a stop signal ends it, with status 130 after Ctrl-C.
 *
 * @param here What the command can do on a machine where nothing names a cluster. @default an error
 * @throws {InputError} If there is no such context or the names are not those of Kubernetes.
 */
export async function withStack(
  flags: StackFlags,
  work: (stack: Stack) => Promise<void>,
  here?: (signal: AbortSignal, error: NoClusterError) => Promise<void>,
): Promise<void> {
  checkStackNames(flags);
  if (flags.hosts !== undefined && flags.target !== 'bare-metal') {
    throw new InputError('--hosts is for --target bare-metal.');
  }
  const access = await openTarget(flags).catch((error: unknown) => {
    const isNamed = flags.context !== undefined || flags.target !== 'existing';
    if (here === undefined || isNamed || !(error instanceof NoClusterError)) throw error;
    return error;
  });
  if (access instanceof NoClusterError) {
    await untilStopped((signal) => (here as NonNullable<typeof here>)(signal, access));
    return;
  }
  try {
    await untilStopped((signal) => {
      const cluster = new Cluster(access, { signal });
      const namespace = flags.namespace ?? access.namespace;
      return work({
        cluster,
        namespace,
        release: groupRelease(flags.release, flags.group),
        signal,
      });
    });
  } finally {
    access.close();
  }
}

/** Runs the work of a command; Ctrl-C ends it with status 130. */
export async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const signals = watchStopSignals();
  endOnHurry(signals);
  try {
    await work(signals.stop);
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = signalStatus(signals);
  } finally {
    signals.release();
  }
}

/** @throws {InputError} If there is no such release; the message names those that there are. */
export async function existingRelease({ cluster, namespace, release }: Stack): Promise<Release> {
  await cluster.version();
  const found = await readRelease(cluster, namespace, release);
  if (found !== undefined) return found;
  const others = await releaseNames(cluster, namespace);
  const there = others.length === 0 ? 'it has none' : `it has ${others.join(', ')}`;
  throw new InputError(
    `Namespace ${namespace} has no release ${release}; ${there}. Deploy one with "spillway deploy -f values.yaml", or name another with --release or --namespace.`,
  );
}

/** @throws {InputError} If the names are not those of Kubernetes and Helm. */
export function checkStackNames({ namespace, release }: StackFlags): void {
  checkName('--namespace', namespace, 63);
  // Helm allows 53, so that names of objects still fit; a group takes two.
  checkName('--release', release, 51);
}

function checkName(flag: string, name: string | undefined, lengthMax: number): void {
  if (
    name === undefined ||
    (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) && name.length <= lengthMax)
  ) {
    return;
  }
  throw new InputError(
    `${flag} ${name}: a name has at most ${lengthMax} lower-case letters, digits and hyphens.`,
  );
}

/** The key that routers with one want, as clients of OpenAI give it. */
export function apiKeyOf(): string | undefined {
  return process.env['OPENAI_API_KEY']?.trim() || undefined;
}

/** Prints progress: to standard output, or to standard error if that has the JSON. */
export function progressOf({ json }: { readonly json?: true }): (line: string) => void {
  const stream = json ? process.stderr : process.stdout;
  return (line) => {
    stream.write(`${line}\n`);
  };
}

export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
