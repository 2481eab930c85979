// `spillway monitor`: a stack's router, and the Grafana and Prometheus of its cluster, on ports of this machine.
import { Command } from 'commander';
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
  readonly routerPort?: number;
  readonly grafanaPort?: number;
  readonly prometheusPort?: number;
}

export function monitorCommand(): Command {
  const command = new Command('monitor')
    .description(
      'Forward ports of this machine to the router of a stack, and to Grafana and Prometheus where the cluster has them, until Ctrl-C.',
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

function portsOf(flags: Flags): Readonly<Partial<Record<MonitoredName, number>>> {
  const { routerPort, grafanaPort, prometheusPort } = flags;
  return {
    ...(routerPort !== undefined && { router: routerPort }),
    ...(grafanaPort !== undefined && { grafana: grafanaPort }),
    ...(prometheusPort !== undefined && { prometheus: prometheusPort }),
  };
}
