// `spillway deploy --target bare-metal`.
import { InputError } from '../../core/base/index.ts';
import { problemLines } from '../../core/values/index.ts';
import { readValues } from '../../io/values/index.ts';
import { type BareMetalDeployment, deployOnHosts } from '../../tools/bare-metal/index.ts';
import {
  componentLine,
  type SmokeReport,
  stackJson,
  statusLines,
} from '../../tools/deploy/index.ts';
import { benchAt, readBenchFlags } from '../cluster/deploy-bench.ts';
import { apiKeyOf, printJson, progressOf, type StackFlags } from '../cluster/stack-flags.ts';
import { checkRouterArguments, routerNotes } from '../router-arguments.ts';
import { valuesChecks } from '../values-checks.ts';
import { withHosts } from './hosts-flags.ts';
import { smokeOnHosts } from './smoke-on-hosts.ts';

export interface HostsDeployFlags extends StackFlags {
  readonly file?: readonly string[];
  readonly subchart?: string;
  readonly preset?: string;
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly chart?: string;
  readonly wait: number;
  readonly dryRun?: true;
  readonly diff?: true;
  readonly rollback?: true;
  readonly smoke?: true;
  readonly bench?: string | true;
}

export async function runDeployOnHosts(flags: HostsDeployFlags): Promise<void> {
  if (flags.chart !== undefined) {
    throw new InputError(
      '--chart: hosts have no chart; leave it out, or name a target that is a cluster.',
    );
  }
  const { file, subchart, set, setString, preset, release } = flags;
  const checks = await valuesChecks('up', { onHosts: true });
  const read = await readValues({
    ...{ files: file, subchart, sets: set, setStrings: setString, preset, ...checks },
  });
  await checkRouterArguments(read, 'up');
  const { values, warnings } = read;
  for (const line of problemLines([...warnings, ...(await routerNotes(read, 'up'))]))
    process.stderr.write(`warning: ${line}\n`);
  const load = flags.bench === undefined ? undefined : readBenchFlags(flags.bench);
  const print = progressOf(flags);
  const work = async (session: Parameters<typeof smokeOnHosts>[0]['session']) => {
    const apiKey = apiKeyOf();
    const deployment = await deployOnHosts({
      ...{ session, release, values, environment: process.env, apiKey },
      ...{ waitMs: flags.wait * 1000, rollsBack: flags.rollback === true },
      ...{ isDryRun: flags.dryRun === true || flags.diff === true },
      ...{ onStep: print, onChange: (component) => print(componentLine(component)) },
    });
    printOutcome(deployment, flags, print);
    const isServing = deployment.outcome?.isServing ?? true;
    const { installed, routerUrl } = deployment;
    const goesOn = isServing && deployment.outcome !== undefined;
    const smoke =
      goesOn && flags.smoke
        ? await smokeOnHosts({ session, installed, routerUrl, print })
        : undefined;
    const bench =
      goesOn && load !== undefined && routerUrl !== undefined
        ? await benchAt(routerUrl, load, session.signal ?? new AbortController().signal)
        : undefined;
    if (bench !== undefined) print(bench.table.trimEnd());
    if (flags.json)
      printJson({ ...jsonOf(release, deployment, smoke), ...(bench && { bench: bench.json }) });
    process.exitCode = isServing && smoke?.ok !== false && bench?.ok !== false ? 0 : 1;
  };
  await withHosts(flags, work, values.spillway.bareMetal.hosts);
}

function printOutcome(
  { changes, outcome, routerUrl, revision }: BareMetalDeployment,
  flags: HostsDeployFlags,
  print: (line: string) => void,
): void {
  if (outcome === undefined) {
    for (const { host, object, change, text } of changes) {
      if (change !== 'keep') print(`${change} ${object} on ${host}`);
      const lines = flags.diff && change === 'write' ? text.trimEnd().split('\n') : [];
      for (const line of lines) print(`  ${line}`);
    }
    const kept = changes.filter(({ change }) => change === 'keep').length;
    print(`${changes.length - kept} files would change, ${kept} stay as they are.`);
    return;
  }
  const { isServing, completions, stack, reason, next } = outcome;
  if (isServing) {
    const at = routerUrl === undefined ? '' : ` at ${routerUrl}/v1`;
    print(
      `serving revision ${revision}${at}: ${completions.join(', ') || 'no router, no completion was tried'}`,
    );
    return;
  }
  for (const line of statusLines(stack)) print(line);
  print(`failed: ${reason}`);
  if (next !== '') print(`next: ${next}`);
}

function jsonOf(
  release: string,
  { revision, routerUrl, changes, outcome }: BareMetalDeployment,
  smoke: SmokeReport | undefined,
): object {
  return {
    ...{ release, target: 'bare-metal', revision, url: routerUrl },
    changes: changes.map(({ host, object, change }) => ({ host, object, change })),
    ...(outcome && {
      ...{ serving: outcome.isServing, completions: outcome.completions },
      ...{ reason: outcome.reason, next: outcome.next, undone: outcome.undone },
      ...stackJson(outcome.stack),
    }),
    ...(smoke && { smoke }),
  };
}
