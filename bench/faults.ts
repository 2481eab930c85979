// Runs fault runs: fleets in virtual time under faults, one per seed, with invariants after every
// event.
//
//   node bench/faults.ts [--seeds 1000] [--first-seed N] [--json]
//
// Without --first-seed the seeds are new. Exits with 1 at the first run that violates an invariant;
// its seed replays it. A single seed prints its settings too.
import { parseArgs } from 'node:util';
import {
  type FaultName,
  FaultRunError,
  type FaultRunResult,
  faultNames,
  faultSettings,
  playFaults,
} from '../src/core/faults/index.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    'first-seed': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const seeds = wholeNumber('--seeds', values.seeds, 1);
const firstSeed = wholeNumber(
  '--first-seed',
  values['first-seed'] ?? String(Math.floor(Math.random() * 2 ** 31)),
  0,
);
if (!values.json) process.stdout.write(`seeds ${firstSeed} to ${firstSeed + seeds - 1}\n`);
if (seeds === 1 && !values.json) printSettings(firstSeed);

const results: FaultRunResult[] = [];
try {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) results.push(playFaults(seed));
} catch (error) {
  if (!(error instanceof FaultRunError)) throw error;
  const { seed, message, trail } = error;
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, message, trail })}\n`);
  else process.stdout.write(`${trail.join('\n')}\n\n${message}\n`);
  process.exit(1);
}

const sum = (key: 'requests' | 'completed' | 'failed' | 'cancelled' | 'reroutes' | 'events') =>
  results.reduce((total, result) => total + result[key], 0);
const summary = {
  ...{ firstSeed, seeds, requests: sum('requests'), completed: sum('completed') },
  ...{ failed: sum('failed'), cancelled: sum('cancelled'), reroutes: sum('reroutes') },
  ...{
    events: sum('events'),
    virtualSeconds: Math.round(results.reduce((t, r) => t + r.seconds, 0)),
  },
  struck: Object.fromEntries(faultNames.map((name) => [name, struckTimes(name)])),
  cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
};
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
else {
  const { struck, ...rest } = summary;
  const rows = Object.entries({ ...rest, ...struck });
  process.stdout.write(rows.map(([name, value]) => `${name.padEnd(20)} ${value}\n`).join(''));
}

function struckTimes(name: FaultName): number {
  return results.reduce((total, { struck }) => total + (struck.get(name) ?? 0), 0);
}

function printSettings(seed: number): void {
  const { retryPolicy, ...settings } = faultSettings(seed);
  const shown = { ...settings, reroutesMax: retryPolicy.reroutesMax };
  process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  process.stderr.write(`${flag} is "${text}"; it must be a whole number of at least ${least}.\n`);
  process.exit(2);
}
