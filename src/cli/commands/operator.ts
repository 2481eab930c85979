// `spillway operator`: runs the operator, or prints what a cluster needs for it.
import { Command } from 'commander';
import { stringify } from 'yaml';
import { startOperator } from '../../apps/operator/index.ts';
import { crds, healthPort, manifests } from '../../core/operator/index.ts';
import { createLogger } from '../../io/log/index.ts';
import { endOnHurry, stopped, watchStopSignals } from '../../io/signals/index.ts';
import { portOrAny, positiveInteger } from '../arguments/numbers.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';

interface Flags extends LogFlags {
  readonly host: string;
  readonly port: number;
  readonly namespace?: string;
  readonly leaderElectNamespace?: string;
}

export function operatorCommand(): Command {
  const command = new Command('operator')
    .description(
      'Run the operator, which keeps engines, routers, cache servers and LoRA adapters in a Kubernetes cluster as their resources specify (VLLMRuntime, VLLMRouter, CacheServer, LoraAdapter).',
    )
    .option('--namespace <name>', 'work in this namespace only (default: all)')
    .option(
      '--leader-elect-namespace <name>',
      'namespace of the Lease that elects the active one of several operators (default: none, for a single operator)',
    )
    .option('--host <address>', 'address of the health checks', '127.0.0.1')
    .option(
      '--port <port>',
      'port of /healthz and /readyz; 0 chooses a free one',
      portOrAny,
      healthPort,
    )
    .action(run);
  addLogFlags(command);
  command
    .command('crds')
    .description('Print the CustomResourceDefinitions, for kubectl apply -f -.')
    .option('--json', 'print JSON')
    .action(({ json }: { readonly json?: boolean }) => print(crds(), json));
  command
    .command('manifests')
    .description(
      'Print everything that a cluster needs to run the operator, for kubectl apply -f -.',
    )
    .option('--namespace <name>', 'namespace of the operator', 'spillway-system')
    .requiredOption('--image <image>', 'image of Spillway, as built by the Dockerfile')
    .option('--replicas <n>', 'number of operators, one of which is active', positiveInteger, 2)
    .option('--json', 'print JSON')
    .action((flags: { namespace: string; image: string; replicas: number; json?: boolean }) =>
      print(manifests(flags), flags.json),
    );
  return command;
}

async function run(flags: Flags): Promise<void> {
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const signals = watchStopSignals();
  const operator = await startOperator({
    ...{ host: flags.host, port: flags.port, namespace: flags.namespace, log },
    leaseNamespace: flags.leaderElectNamespace,
  });
  process.stdout.write(`operator: ${operator.url}\n`);
  const signal = await stopped(signals);
  endOnHurry(signals);
  log.info(`${signal}: stopping`);
  await operator.close();
}

function print(objects: readonly object[], isJson: boolean | undefined): void {
  const text = isJson
    ? `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`
    : objects
        .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
        .join('---\n');
  process.stdout.write(text);
}
