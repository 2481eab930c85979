// Helm, as installed: found, its version checked, and run with a deadline.
import { type ChildProcess, execFile } from 'node:child_process';
import { InputError } from '../../core/base/index.ts';
import { findProgram, isPath } from '../../io/processes/index.ts';
import { DeployError } from './deploy-error.ts';

/** The oldest with `--dry-run=server`; the chart is tested with 3.21 and 4.2. */
const oldest = [3, 14] as const;
const newestMajor = 4;
const outputBytesMax = 64 << 20;
/** Time for Helm to record that it was stopped. */
const stopGraceMs = 10_000;

export interface HelmOptions {
  /** Name or path. */
  readonly program: string;
  readonly context: string;
  readonly namespace: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Helm {
  /** Such as `3.21.4`. */
  readonly version: string;
  /**
   * Runs Helm in the context and namespace; resolves with its standard output.
   *
   * @throws {DeployError} If it fails, with its words.
   */
  run(args: readonly string[], timeoutMs?: number): Promise<string>;
}

/**
 * Finds Helm.
 *
 * @throws {InputError} If it is not installed.
 * @throws {DeployError} If its version is not supported.
 */
export async function findHelm(options: HelmOptions): Promise<Helm> {
  const { program, context, namespace, signal } = options;
  const file = findProgram(program, process.env['PATH']);
  const wanted = `Helm ${oldest.join('.')} or newer`;
  const how =
    'install it (https://helm.sh/docs/intro/install: a package of your system, brew install helm, winget install Helm.Helm), or name one with --helm';
  if (file === undefined) {
    if (isPath(program)) throw new InputError(`--helm ${program}: no such program.`);
    throw new InputError(`${wanted} is needed, and "${program}" is not on the PATH: ${how}.`);
  }
  const text = await execute(file, ['version', '--template', '{{.Version}}'], 30_000, signal);
  const [, version = '', major = '', minor = ''] = /v?((\d+)\.(\d+)\S*)/.exec(text) ?? [];
  const number = [Number(major), Number(minor)] as const;
  const isOld = number[0] < oldest[0] || (number[0] === oldest[0] && number[1] < oldest[1]);
  if (version === '' || isOld || number[0] > newestMajor) {
    const found = version === '' ? `not a Helm (it says "${text.trim().slice(0, 80)}")` : version;
    throw new DeployError(
      `${wanted} is needed, up to ${newestMajor}; ${file} is ${found}: ${how}.`,
    );
  }
  // Without a kubeconfig, in a pod, there is no context to name.
  const where = [
    '--namespace',
    namespace,
    ...(context === 'inClusterContext' ? [] : ['--kube-context', context]),
  ];
  return {
    version,
    run: (args, timeoutMs = 120_000) => execute(file, [...args, ...where], timeoutMs, signal),
  };
}

function execute(
  file: string,
  args: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const options = {
      timeout: timeoutMs,
      maxBuffer: outputBytesMax,
      killSignal: 'SIGTERM' as const,
    };
    const child = execFile(file, [...args], options, (error, stdout, stderr) => {
      release();
      if (signal?.aborted) reject(signal.reason);
      else if (error === null) resolve(stdout);
      else if (error.killed) {
        reject(new DeployError(`helm ${args[0]} did not end within ${timeoutMs / 1000} s.`));
      } else reject(new DeployError(helmSentence(args, stderr || error.message), { cause: error }));
    });
    const release = endingWith(child, signal);
  });
}

/**
 * Ends Helm with this command, and not before it has recorded in the cluster that the release failed; a second Ctrl-C kills it.
 *
 * @returns Releases what was registered.
 */
function endingWith(child: ChildProcess, signal: AbortSignal | undefined): () => void {
  let late: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    late = setTimeout(kill, stopGraceMs);
  };
  const kill = () => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  process.once('exit', kill);
  return () => {
    clearTimeout(late);
    signal?.removeEventListener('abort', stop);
    process.off('exit', kill);
  };
}

const wordsMax = 1_500;

/** Helm's own words, without its warnings and prefixes. */
function helmSentence(args: readonly string[], stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^(WARNING|level=|I\d{4} )/.test(line));
  const text = lines
    .join(' ')
    .replace(/^Error: /, '')
    .replace(/ *Use --debug flag to render out invalid YAML/, '')
    .trim()
    .slice(0, wordsMax);
  if (/another operation .* is in progress/.test(text)) {
    return `helm ${args[0]} failed: ${text}. If no other helm runs, a former one was interrupted: "helm rollback RELEASE" ends it.`;
  }
  return `helm ${args[0]} failed: ${text || 'it gave no reason'}${/[.!]$/.test(text) ? '' : '.'}`;
}
