// `spillway simulate hits`: prefix-cache hits of a trace.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type HitPolicy, hitPolicies } from '../../core/simulation/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import { positiveInteger } from '../arguments/numbers.ts';
import { addTraceUnitFlag } from '../arguments/quantities.ts';
import { endedByCtrlC } from '../ended-by-ctrl-c.ts';
import { toCapacities, toTierCapacities } from '../simulate/arguments.ts';

export function hitsCommand(): Command {
  const command = new Command('hits')
    .description(
      'Compute the prefix-cache hits of a trace without service times, one row per capacity.',
    )
    .requiredOption(
      '--trace <file>',
      'requests with block ids, plain or gzipped; "-" for standard input',
    );
  return addTraceUnitFlag(command)
    .option('--block-tokens <n>', 'tokens per block id (default: from the trace)', positiveInteger)
    .requiredOption(
      '--capacity <list>',
      'capacity of each cache in blocks, e.g. 500,1000,inf',
      toCapacities,
    )
    .option('--engines <n>', 'number of separate caches', positiveInteger, 1)
    .option(
      '--cpu-capacity <list>',
      'capacity in blocks of the tier below each cache; 0 for none',
      toTierCapacities,
    )
    .option('--pooled', 'one tier shared by all caches, as large as their tiers combined')
    .addOption(
      new Option('--policy <name>', 'how a cache is picked for a request')
        .choices(hitPolicies)
        .default('roundrobin'),
    )
    .option('--json', 'one JSON object per row')
    .exitOverride()
    .action((flags: HitsFlags) => endedByCtrlC(() => runHits(flags)));
}

interface HitsFlags {
  readonly trace: string;
  readonly traceUnit?: TimeUnit;
  readonly blockTokens?: number;
  readonly capacity: readonly number[];
  readonly engines: number;
  readonly policy: HitPolicy;
  readonly cpuCapacity?: readonly number[];
  readonly pooled?: true;
  readonly json?: true;
}

async function runHits(flags: HitsFlags): Promise<void> {
  const { trace, capacity: capacities, blockTokens, engines, policy } = flags;
  const { cpuCapacity: cpuCapacities = [], pooled = false } = flags;
  if (pooled && cpuCapacities.length === 0) {
    throw new InputError('--pooled requires --cpu-capacity, the size of the tier.');
  }
  const { hitsJson, hitsTable, simulateHits } = await import('../../tools/simulate-hits/index.ts');
  const rows = await simulateHits({
    ...{
      trace,
      traceUnit: flags.traceUnit,
      blockTokens,
      capacities,
      engines,
      policy,
      cpuCapacities,
      pooled,
    },
  });
  if (flags.json) {
    process.stdout.write(rows.map((row) => `${JSON.stringify(hitsJson(row))}\n`).join(''));
  } else {
    process.stdout.write(hitsTable(rows));
  }
}
