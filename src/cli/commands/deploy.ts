// `spillway deploy`: from a values file to a stack that serves, on Kubernetes.
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { groupRelease } from '../../core/deploy/index.ts';
import {
  changesJson,
  checkGroupNodes,
  componentLine,
  type Deployment,
  deploy,
  deploymentJson,
  dryRunWithoutCluster,
  namedMirror,
  type ObjectChange,
  ownChart,
  type SmokeReport,
  statusLines,
} from '../../tools/deploy/index.ts';
import { duration } from '../arguments/quantities.ts';
import { benchStack, readBenchFlags } from '../cluster/deploy-bench.ts';
import { withGroupArgs } from '../cluster/group-file.ts';
import { checkLine } from '../cluster/smoke-line.ts';
import {
  addStackFlags,
  apiKeyOf,
  printJson,
  progressOf,
  type Stack,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import {
  addValueFlags,
  checkedValues,
  type ValueFlags,
  withValueArgs,
} from '../cluster/value-flags.ts';
import { addHelpEnd } from '../help.ts';
import { smokeStack } from './smoke.ts';

interface Flags extends StackFlags, ValueFlags {
  readonly helm: string;
  readonly wait: number;
  readonly dryRun?: true;
  readonly diff?: true;
  readonly rollback?: true;
  readonly smoke?: true;
  readonly bench?: string | true;
}

export function deployCommand(): Command {
  const command = new Command('deploy')
    .description(
      'Install or upgrade a stack on Kubernetes with Helm, or on hosts with systemd, and wait until every model has served a completion.',
    )
    .optionsGroup('Stack:');
  addValueFlags(command)
    .optionsGroup('Deployment:')
    .option(
      '--dry-run',
      'check values, objects and cluster, and list what would change; without a kubeconfig, list the objects of the values',
    )
    .option('--diff', 'show what would change, line by line; changes nothing')
    .option(
      '--wait <duration>',
      'maximum time until it serves, in seconds or with a unit',
      duration('s'),
      1800,
    )
    .option(
      '--rollback',
      'if it does not serve in time, roll back to the previous revision, or uninstall a first deployment',
    )
    .option('--helm <program>', 'Helm to use, 3.14 or newer', 'helm')
    .optionsGroup('Afterwards:')
    .option('--smoke', 'test the stack, as "spillway smoke" does')
    .option(
      '--bench [flags]',
      'send it a load and print the figures; --bench="--num-prompts 200" gives it flags of "spillway bench serve" (default: 120 prompts of 300 and 40 tokens, 4 per second)',
    )
    .hook('preAction', (given) => checkValuesGiven(given.opts<Flags>()))
    .action(run);
  const { outputError } = command.configureOutput();
  command.configureOutput({
    outputError: (text, write) =>
      outputError?.(command.getOptionValue('bench') === true ? withBenchHint(text) : text, write),
  });
  return addHelpEnd(
    addStackFlags(command),
    'The API key of a router is taken from OPENAI_API_KEY. With SPILLWAY_REGISTRY_MIRROR, the images that the mirror lacks are reported. Exit status: 0 it serves, 1 it does not, 2 bad input, no Helm or no cluster, 4 the cluster or a host cannot be reached.',
  );
}

/** Commander takes a word that begins with a dash for a flag, even after `--bench`. */
function withBenchHint(text: string): string {
  return text.replace(
    /unknown option '(.*)'/,
    `unknown option '$1'; a flag of "spillway bench serve" needs the equals sign: --bench="$1"`,
  );
}

/** @throws {InputError} Without values. */
function checkValuesGiven({ file, preset }: Flags): void {
  if (file !== undefined || preset !== undefined) return;
  throw new InputError(
    'deploy needs the values of a stack: give a file with -f, or a preset with --preset ("spillway config presets" lists them).',
  );
}

/** @throws {InputError} For a test of what is not deployed. */
function checkFlags({ dryRun, diff, smoke, bench }: Flags): void {
  if (!(dryRun || diff) || !(smoke || bench)) return;
  const [test, dry] = [smoke ? '--smoke' : '--bench', dryRun ? '--dry-run' : '--diff'];
  throw new InputError(`${test} tests what has been deployed; leave out ${dry}.`);
}

async function run(flags: Flags): Promise<void> {
  checkFlags(flags);
  if (flags.target === 'bare-metal') {
    const { runDeployOnHosts } = await import('../bare-metal/deploy-on-hosts.ts');
    return runDeployOnHosts(flags);
  }
  const values = await checkedValues(flags, groupRelease(flags.release, flags.group));
  const mirror = await namedMirror(process.env);
  const load = flags.bench === undefined ? undefined : readBenchFlags(flags.bench);
  const print = progressOf(flags);
  const deployHere = async (stack: Stack) => {
    if (flags.group !== undefined) await checkGroupNodes(stack.cluster, flags.group);
    const deployment = await withHelmArgs(flags, values, (valueArgs) =>
      deploy({
        ...{ ...stack, values, valueArgs, chart: flags.chart ?? ownChart(), helm: flags.helm },
        ...{ waitMs: flags.wait * 1000, rollsBack: flags.rollback === true },
        ...{ isDryRun: flags.dryRun === true || flags.diff === true, apiKey: apiKeyOf() },
        mirror,
        ...{ onStep: print, onChange: (component) => print(componentLine(component)) },
      }),
    );
    printOutcome(deployment, flags, print);
    const isServing = deployment.outcome?.isServing ?? true;
    const goesOn = isServing && deployment.outcome !== undefined;
    const smoke = goesOn && flags.smoke ? await smokeOf(stack, print) : undefined;
    const bench = goesOn && load !== undefined ? await benchStack(stack, load) : undefined;
    if (bench !== undefined) print(bench.table.trimEnd());
    if (flags.json) {
      const { namespace, release } = stack;
      printJson({
        ...{ release, namespace, ...deploymentJson(deployment) },
        ...(smoke && { smoke }),
        ...(bench && { bench: bench.json }),
      });
    }
    process.exitCode = isServing && smoke?.ok !== false && bench?.ok !== false ? 0 : 1;
  };
  await withStack(flags, deployHere, async (signal, noCluster) => {
    if (!flags.dryRun && !flags.diff) throw noCluster;
    const { helm, chart = ownChart(), namespace = 'default' } = flags;
    const release = groupRelease(flags.release, flags.group);
    print('no cluster: the objects are rendered, and no API server checks them');
    const changes = await withHelmArgs(flags, values, (valueArgs) =>
      dryRunWithoutCluster({ chart, helm, release, namespace, values, valueArgs, signal }),
    );
    printChanges(changes, flags, print);
    if (flags.json) {
      printJson({ release, namespace, kubernetes: null, changes: changesJson(changes) });
    }
  });
}

/** Runs the work with the values and the group as Helm's arguments. */
function withHelmArgs<Result>(
  flags: Flags,
  values: unknown,
  work: (args: readonly string[]) => Promise<Result>,
): Promise<Result> {
  return withValueArgs(flags, (valueArgs) =>
    withGroupArgs(values, flags.group, (groupArgs) => work([...valueArgs, ...groupArgs])),
  );
}

function printChanges(
  changes: readonly ObjectChange[],
  { diff: showsDiff }: Flags,
  print: (line: string) => void,
): void {
  for (const { object, kind, diff } of changes) {
    if (kind !== 'keep') print(`${kind} ${object}`);
    if (showsDiff) for (const line of diff) print(`  ${line}`);
  }
  const kept = changes.filter(({ kind }) => kind === 'keep').length;
  print(`${changes.length - kept} objects would change, ${kept} stay as they are.`);
}

function printOutcome(
  { changes, outcome }: Deployment,
  flags: Flags,
  print: (line: string) => void,
): void {
  if (outcome === undefined) {
    printChanges(changes, flags, print);
    return;
  }
  const { isServing, completions, reason, next, undone, stack } = outcome;
  if (isServing) {
    print(
      completions.length > 0
        ? `serving: ${completions.join(', ')}`
        : 'ready; without a router, no completion was tried',
    );
    return;
  }
  for (const line of statusLines(stack)) print(line);
  print(`failed: ${reason}`);
  if (next !== '') print(`next: ${next}`);
  if (undone !== '') print(`the deployment was ${undone}`);
}

async function smokeOf(stack: Stack, print: (line: string) => void): Promise<SmokeReport> {
  return smokeStack(stack, { onCheck: (check) => print(checkLine(check)) });
}
