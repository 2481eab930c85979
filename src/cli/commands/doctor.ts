// `spillway doctor`: what keeps a stack from starting.
import { Command } from 'commander';
import { type Check, groupRelease } from '../../core/deploy/index.ts';
import { problemLines, writtenValues } from '../../core/values/index.ts';
import { readValues } from '../../io/values/index.ts';
import { type DoctorOptions, doctor } from '../../tools/deploy/index.ts';
import { collect, subchartFlag } from '../arguments/lists.ts';
import {
  addStackFlags,
  printJson,
  progressOf,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';
import { checkRouterArguments } from '../router-arguments.ts';
import { checkRelease, valuesChecks } from '../values-checks.ts';

interface Flags extends StackFlags {
  readonly file?: readonly string[];
  readonly subchart?: string;
}

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description(
      'Check a cluster and this machine: context, permissions, storage, GPUs, capacity, images, Hugging Face, ports 8000, 3000 and 9090.',
    )
    .optionsGroup('Stack:')
    .option('-f, --file <file>', 'values file of the stack to check for; repeatable', collect)
    .option(...subchartFlag)
    .action(run);
  return addHelpEnd(
    addStackFlags(command),
    'The token of Hugging Face is taken from the values or HF_TOKEN. Without a kubeconfig, only this machine is checked. Exit status: 0 nothing failed, 1 a check failed, 2 bad input, 4 the cluster cannot be reached.',
  );
}

async function run(flags: Flags): Promise<void> {
  const values = await valuesOf(flags);
  const check = async ({ cluster, namespace, signal }: DoctorStack): Promise<void> => {
    const print = progressOf(flags);
    const checks = await doctor({
      ...{ cluster, namespace, values, environment: process.env, signal },
      onCheck: (check) => {
        print(`${marks[check.result]} ${check.name}: ${check.detail}`);
        if (check.next !== '') print(`    next: ${check.next}`);
      },
    });
    const ok = checks.every(({ result }) => result !== 'failed');
    if (flags.json) printJson({ ok, checks });
    process.exitCode = ok ? 0 : 1;
  };
  await withStack(flags, check, (signal) => check({ cluster: undefined, namespace: '', signal }));
}

type DoctorStack = Pick<DoctorOptions, 'cluster' | 'namespace'> & { readonly signal: AbortSignal };

/** @returns Undefined without values. */
async function valuesOf({ file: files, subchart, release: name, group }: Flags): Promise<unknown> {
  if (files === undefined && subchart === undefined) return undefined;
  const release = groupRelease(name, group);
  const checks = await valuesChecks('kubernetes', { release });
  const read = await readValues({ files, subchart, ...checks });
  await checkRelease(read, release);
  await checkRouterArguments(read, 'kubernetes');
  for (const line of problemLines(read.warnings)) process.stderr.write(`warning: ${line}\n`);
  return writtenValues(read.written);
}

const marks: Readonly<Record<Check['result'], string>> = {
  ...{ ok: '✓', warning: '!', failed: '✗', skipped: '-' },
};
