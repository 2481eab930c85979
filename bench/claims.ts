// The five sentences with which vLLM's production stack and LMCache are advertised, on loads of the
// simulator: where each is true, and against what. Writes docs/results/claims.md.
//
//   node bench/claims.ts [--seeds 3] [--loads a,b] [--out FILE]
//
// Each run is one command, `spillway simulate -f bench/claims/stack.yaml …`; the page prints it.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toOffload } from '../src/cli/simulate/arguments.ts';
import { valuesChecks } from '../src/cli/values-checks.ts';
import { loadValues } from '../src/io/values/index.ts';
import { simulateStack } from '../src/tools/simulate-stack/index.ts';
import { loads, type Run, setups, simulateFlags } from './claims/loads.ts';
import { claimsPage } from './claims/page.ts';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    loads: { type: 'string', default: loads.map(({ name }) => name).join(',') },
    out: { type: 'string', default: 'docs/results/claims.md' },
  },
});
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => i + 1);
const wanted = flags.loads.split(',');
const checks = await valuesChecks();
const runs: Run[] = [];
for (const load of loads.filter(({ name }) => wanted.includes(name))) {
  for (const setup of setups) {
    const { sets, offload, ...traffic } = simulateFlags(load, setup);
    const values = await loadValues({ files: ['bench/claims/stack.yaml'], sets, ...checks });
    for (const seed of seeds) {
      const { report } = await simulateStack({
        ...{ values, ...traffic, seed, offload: toOffload(offload) },
        ...{ failures: [], percentiles: [90] },
      });
      const { ttft, e2el, itl } = report.fromSent;
      runs.push({
        ...{ load: load.name, setup: setup.name, seed },
        ttftMs: ttft?.mean ?? Number.NaN,
        e2eMs: e2el?.mean ?? Number.NaN,
        itlMs: itl?.mean ?? Number.NaN,
        tokensPerSecond: report.outputTokens / report.durationSeconds,
      });
    }
    console.error(`${load.name}, ${setup.name}`);
  }
}
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const command = `node bench/claims.ts ${process.argv.slice(2).join(' ')}`.trim();
const page = claimsPage(runs, { command, commit });
writeFileSync(flags.out, page);
console.log(page);
