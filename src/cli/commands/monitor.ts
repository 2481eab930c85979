// `spillway monitor`: a stack's router, and the Grafana and Prometheus of its cluster, on ports of this machine; or the addresses
// of a stack that `spillway up` runs here.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type LocalStack, localStacks } from '../../io/local-stacks/index.ts';
import { stopped } from '../../io/signals/index.ts';
import { type MonitoredName, openMonitor } from '../../tools/deploy/index.ts';
import { portOrAny } from '../arguments/numbers.ts';
import {
  addStackFlags,
  existingRelease,
  printJson,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';

interface Flags extends StackFlags {
  readonly local?: boolean;
  readonly routerPort?: number;
  readonly grafanaPort?: number;
  readonly prometheusPort?: number;
}

export function monitorCommand(): Command {
  const command = new Command('monitor')
    .description(
      'Forward ports of this machine to the router of a stack, and to Grafana and Prometheus where the cluster has them, until Ctrl-C.',
    )
    .option(
      '--local',
      'print the addresses of the stacks that "spillway up" runs on this machine, and exit (default where there is such a stack and no kubeconfig)',
    )
    .optionsGroup('Local ports:')
    .option('--router-port <port>', 'port of the router (default: 8000, or a free one)', portOrAny)
    .option('--grafana-port <port>', 'port of Grafana (default: 3000, or a free one)', portOrAny)
    .option(
      '--prometheus-port <port>',
      'port of Prometheus (default: 9090, or a free one)',
      portOrAny,
    )
    .action(run);
  return addHelpEnd(
    addStackFlags(command),
    'With --json, the addresses are printed as soon as they can be used. Exit status: 0 ended by Ctrl-C, 1 failed, 2 bad input or no such release, 4 the cluster or a host cannot be reached.',
  );
}

async function run(flags: Flags): Promise<void> {
  if (flags.local === true) checkLocalFlags(flags);
  if (flags.local === true || isOnlyLocal(flags)) return printLocal(localStacks(), flags);
  if (flags.target === 'bare-metal') {
    const { monitorOnHosts } = await import('../bare-metal/release-commands.ts');
    return monitorOnHosts(flags);
  }
  await withStack(flags, async (stack) => {
    const release = await existingRelease(stack);
    const monitor = await openMonitor({
      ...{ cluster: stack.cluster, release, ports: portsOf(flags) },
      onState: (name, failure) => {
        process.stderr.write(
          failure === undefined
            ? `${name}: connected again\n`
            : `${name}: ${failure}; the next connection tries again\n`,
        );
      },
    });
    try {
      const { forwards } = monitor;
      const { namespace, name } = release;
      if (flags.json) printJson({ release: name, namespace, forwards });
      else {
        for (const { name, url, namespace, service } of forwards) {
          process.stdout.write(`${name.padEnd(10)} ${url}  Service ${service} in ${namespace}\n`);
        }
        process.stdout.write('Ctrl-C closes them.\n');
      }
      await stopped({ stop: stack.signal });
    } finally {
      await monitor.close();
    }
  });
}

/** @throws {InputError} For flags of a cluster or of ports, which stacks on this machine have already. */
function checkLocalFlags(flags: Flags): void {
  const { context, namespace, group, hosts, routerPort, grafanaPort, prometheusPort } = flags;
  const others = {
    ...{ context, namespace, group, hosts },
    ...{
      'router-port': routerPort,
      'grafana-port': grafanaPort,
      'prometheus-port': prometheusPort,
    },
  };
  const [other] = Object.entries(others).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (other !== undefined) {
    throw new InputError(`--local prints the stacks of this machine; leave out --${other}.`);
  }
}

/** Whether there is no cluster to look at, and a stack on this machine. */
function isOnlyLocal({ target }: Flags): boolean {
  if (target !== 'existing' || process.env['KUBECONFIG'] !== undefined) return false;
  return !existsSync(join(homedir(), '.kube', 'config')) && localStacks().length > 0;
}

function printLocal(stacks: readonly LocalStack[], flags: Flags): void {
  if (stacks.length === 0) {
    throw new InputError('No stack runs on this machine; "spillway up" starts one.');
  }
  if (flags.json) {
    printJson({ stacks });
    return;
  }
  for (const { pid, ...addresses } of stacks) {
    for (const [name, url] of Object.entries(addresses)) {
      if (url !== undefined)
        process.stdout.write(`${name.padEnd(10)} ${url}  up, process ${pid}\n`);
    }
  }
}

function portsOf(flags: Flags): Readonly<Partial<Record<MonitoredName, number>>> {
  const { routerPort, grafanaPort, prometheusPort } = flags;
  return {
    ...(routerPort !== undefined && { router: routerPort }),
    ...(grafanaPort !== undefined && { grafana: grafanaPort }),
    ...(prometheusPort !== undefined && { prometheus: prometheusPort }),
  };
}
