// --run-dir: everything about a run in a folder of its own.
import type { Command } from 'commander';
import { version } from '../../core/base/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { createRunFolder, type RunFolder } from '../../tools/runs/index.ts';

export interface RunDirFlags {
  readonly runDir?: string;
}

export function addRunDirFlag(command: Command): Command {
  return command.option(
    '--run-dir <folder>',
    'write result, environment, arguments and every event into a new folder there',
  );
}

/** Opens the folder of a run, if --run-dir asks for one. @param command For example `bench serve`. */
export async function openRun(
  { runDir }: RunDirFlags,
  command: string,
  label?: string,
): Promise<RunFolder | undefined> {
  if (runDir === undefined) return undefined;
  return createRunFolder(runDir, {
    command,
    arguments: withoutSecrets(process.argv.slice(2)),
    label,
    startedAt: new Date(),
    spillway: version,
  });
}

/**
 * Does the work of a run. A run that ends without a result, such as one whose server cannot be reached, leaves a folder only if
 * something was measured.
 */
export async function recorded<Result>(
  run: RunFolder | undefined,
  work: () => Promise<Result | undefined>,
): Promise<Result | undefined> {
  let result: Result | undefined;
  try {
    result = await work();
    return result;
  } finally {
    if (result === undefined) await run?.abandon();
  }
}

/**
 * Completes the folder of a run.
 *
 * @param urls Servers that are asked for their versions.
 * @returns Lines for standard error that say where it is.
 */
export async function finishRun(
  run: RunFolder | undefined,
  result: Record<string, unknown>,
  { urls, files }: { readonly urls: readonly string[]; readonly files?: Record<string, string> },
): Promise<string | undefined> {
  if (run === undefined) return undefined;
  const lost = await run.finish({
    status: Number(process.exitCode ?? 0),
    endedAt: new Date(),
    result,
    environment: await readEnvironment({ urls }),
    ...(files === undefined ? {} : { files }),
  });
  const loss = lost === undefined ? '' : `spillway: events.jsonl lacks ${lost}.\n`;
  return `${loss}The run is in ${run.path}.\n`;
}

/** Replaces API keys, headers that may hold one, and credentials in URLs, by stars. */
export function withoutSecrets(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const [flag = '', ...rest] = arg.split('=');
    if (/:\/\/[^\s/?#]*@/.test(arg)) return arg.replace(/(:\/\/)[^\s/?#]*@/g, '$1***@');
    if (flag === '--api-key' && rest.length > 0) return '--api-key=***';
    if (args[index - 1] === '--api-key') return '***';
    const header = args[index - 1] === '--header' ? arg : flag === '--header' ? rest.join('=') : '';
    if (!/^(authorization|x-api-key|api-key|cookie)\s*=/i.test(header)) return arg;
    const name = header.slice(0, header.indexOf('='));
    return flag === '--header' ? `--header=${name}=***` : `${name}=***`;
  });
}
