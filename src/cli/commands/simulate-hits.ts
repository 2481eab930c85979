// `spillway simulate hits`: prefix-cache hits of a trace.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type HitPolicy, hitPolicies } from '../../core/simulation/index.ts';
import { whole } from '../number-arguments.ts';
import { toCapacities, toTierCapacities } from '../simulate/arguments.ts';

export function hitsCommand(): Command {
  return new Command('hits')
    .description('Prefix-cache hits of a trace without service times, one row for each capacity.')
    .requiredOption(
      '--trace <file>',
      'requests with block ids, plain or gzipped; "-" for standard input',
    )
    .option('--block-tokens <n>', 'tokens of one block id (default: as the rows tell)', whole)
    .requiredOption('--capacity <list>', 'blocks of each cache, e.g. 500,1000,inf', toCapacities)
    .option('--engines <n>', 'caches, each on its own', whole, 1)
    .option(
      '--cpu-capacity <list>',
      'blocks of a tier below each cache; 0 for none',
      toTierCapacities,
    )
    .option('--pooled', 'one tier for all caches, as large as theirs together')
    .addOption(
      new Option('--policy <name>', 'which cache serves a request')
        .choices(hitPolicies)
        .default('roundrobin'),
    )
    .option('--json', 'one JSON object a row')
    .exitOverride()
    .action(runHits);
}

interface HitsFlags {
  readonly trace: string;
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
    throw new InputError('--pooled goes with --cpu-capacity only; say how large the tier is.');
  }
  const { hitsJson, hitsTable, simulateHits } = await import('../../tools/simulate/index.ts');
  const rows = await simulateHits({
    ...{ trace, blockTokens, capacities, engines, policy, cpuCapacities, pooled },
  });
  if (flags.json) {
    process.stdout.write(rows.map((row) => `${JSON.stringify(hitsJson(row))}\n`).join(''));
  } else {
    process.stdout.write(hitsTable(rows));
  }
}
