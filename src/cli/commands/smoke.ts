// `spillway smoke`: tests a stack that serves.

import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import {
  checkReached,
  observeStack,
  openRouter,
  type SmokeCheck,
  type SmokeReport,
  smoke,
} from '../../tools/deploy/index.ts';
import { httpUrl } from '../arguments/lists.ts';
import { duration } from '../arguments/quantities.ts';
import { checkLine } from '../cluster/smoke-line.ts';
import {
  addStackFlags,
  apiKeyOf,
  existingRelease,
  printJson,
  progressOf,
  type Stack,
  type StackFlags,
  untilStopped,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';

interface Flags extends StackFlags {
  readonly url?: URL;
  readonly timeout: number;
}

export function smokeCommand(): Command {
  const command = new Command('smoke')
    .description(
      'Test a stack: its models, a completion and a stream from each model, routing to all engines, and metrics.',
    )
    .option('--url <url>', 'router to test instead of the one of a release', httpUrl)
    .option(
      '--timeout <duration>',
      'timeout of a request, in seconds or with a unit',
      duration('s'),
      60,
    )
    .action(run);
  return addHelpEnd(
    addStackFlags(command),
    'The API key is taken from OPENAI_API_KEY. Exit status: 0 all checks passed, 1 one failed, 2 bad input, 4 the cluster or a host cannot be reached.',
  );
}

async function run(flags: Flags): Promise<void> {
  const timeoutMs = flags.timeout * 1000;
  const onCheck = (check: SmokeCheck) => progressOf(flags)(checkLine(check));
  if (flags.url !== undefined) {
    checkUrlFlags(flags);
    const url = flags.url.href.replace(/\/(v1\/?)?$/, '');
    return untilStopped(async (signal) => {
      const options = { url, apiKey: apiKeyOf(), timeoutMs, signal };
      await checkReached(options);
      report(flags, await smoke({ ...options, onCheck }));
    });
  }
  if (flags.target === 'bare-metal') {
    const { runSmokeOnHosts } = await import('../bare-metal/release-commands.ts');
    return runSmokeOnHosts(flags);
  }
  await withStack(flags, async (stack) => {
    report(flags, await smokeStack(stack, { timeoutMs, onCheck }));
  });
}

/** @throws {InputError} For flags that name another router. */
function checkUrlFlags({ context, namespace, group, hosts }: Flags): void {
  const [other] = Object.entries({ context, namespace, group, hosts }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (other !== undefined) {
    throw new InputError(`--url names the router; leave out --${other}.`);
  }
}

/** Tests the router of a release. */
export async function smokeStack(
  stack: Stack,
  options: { readonly timeoutMs?: number; readonly onCheck: (check: SmokeCheck) => void },
): Promise<SmokeReport> {
  const release = await existingRelease(stack);
  const { readyEngines } = await observeStack(stack.cluster, stack.namespace, release.manifests);
  const apiKey = apiKeyOf();
  const router = await openRouter(stack.cluster, release, apiKey);
  try {
    return await smoke({
      ...{ ...options, apiKey, signal: stack.signal, engines: readyEngines },
      ...{ url: router.url, isTunnel: router.isTunnel },
    });
  } finally {
    await router.close();
  }
}

function report(flags: Flags, outcome: SmokeReport): void {
  if (flags.json) printJson(outcome);
  process.exitCode = outcome.ok ? 0 : 1;
}
