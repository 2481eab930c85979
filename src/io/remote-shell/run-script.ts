// Runs a shell script as root on a host: by OpenSSH's client, with its configuration, keys and known hosts.
import { spawn } from 'node:child_process';
import { NoResponseError, SpillwayError } from '../../core/base/index.ts';

export interface RemoteLogin {
  readonly name: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
}

export interface ScriptOptions {
  /** How the host is named in messages. */
  readonly host: string;
  /** Undefined for this machine. */
  readonly login: RemoteLogin | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Receives the output line by line, instead of the result. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** The script ran, and failed. */
export class RemoteShellError extends SpillwayError {
  override readonly name = 'RemoteShellError';
  readonly code = 'ERR_REMOTE_SHELL';
  override readonly exitCode = 1;
}

/** Time in which a host must accept a connection. */
const connectSeconds = 10;
/** Output beyond it ends the script. */
const outputBytesMax = 16 << 20;
/** Of standard error, for messages. */
const errorBytesMax = 4_096;
/** ssh's own failures; a script that ends with it is taken for one. */
const sshFailed = 255;
/** Becomes root if it is not, and then reads the script from standard input. */
const asRoot = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi';

/**
 * Runs a script and returns what it printed.
 *
 * @throws {NoResponseError} If the host cannot be reached, or does not end in time.
 * @throws {RemoteShellError} If the script ends with a status other than 0.
 */
export async function runScript(script: string, options: ScriptOptions): Promise<string> {
  const { host, login, timeoutMs, signal, onLine } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const ended = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const [program, args] = login === undefined ? ['sh', ['-c', asRoot]] : ['ssh', sshArgs(login)];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], signal: ended });
  let [output, rest, problem, bytes] = ['', '', '', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    bytes += text.length;
    if (onLine === undefined) {
      output += text;
      if (bytes > outputBytesMax) child.kill();
      return;
    }
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem = (problem + text).slice(-errorBytesMax);
  });
  // A host that does not read the script ends the connection, which the status tells.
  child.stdin.on('error', () => undefined);
  child.stdin.end(script);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => (ended.aborted ? resolve(null) : reject(error)));
    child.on('close', (code) => resolve(code));
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new NoResponseError(
      `${host}: "${program}" cannot be started (${cause.code ?? cause.message}); install OpenSSH's client.`,
      { cause },
    );
  });
  signal?.throwIfAborted();
  if (deadline.aborted) {
    throw new NoResponseError(`${host} did not end a step within ${timeoutMs / 1000} s.`);
  }
  if (onLine !== undefined && rest !== '') onLine(rest);
  if (status === 0) return output;
  const why = problem.trim().split('\n').at(-1) ?? '';
  if (login !== undefined && status === sshFailed) {
    throw new NoResponseError(
      `${host} cannot be reached by ssh: ${why || 'no reason given'}. Check that "ssh ${[...portArgs(login), sshName(login)].join(' ')} true" works without a password.`,
    );
  }
  throw new RemoteShellError(
    /sudo/.test(why)
      ? `${host}: the user is not root and may not use sudo without a password (${why}).`
      : `${host}: a step failed with status ${status}${why === '' ? '' : `: ${why}`}.`,
  );
}

function sshArgs(login: RemoteLogin): string[] {
  return [
    ...['-o', 'BatchMode=yes', '-o', `ConnectTimeout=${connectSeconds}`],
    ...['-o', 'ServerAliveInterval=5', '-o', 'ServerAliveCountMax=3'],
    ...portArgs(login),
    ...['--', sshName(login), asRoot],
  ];
}

function portArgs({ port }: RemoteLogin): readonly string[] {
  return port === undefined ? [] : ['-p', String(port)];
}

function sshName({ user, name }: RemoteLogin): string {
  return user === undefined ? name : `${user}@${name}`;
}
