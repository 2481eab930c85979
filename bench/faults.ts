// Runs fault runs: fleets in virtual time under faults, one per seed, with invariants after every
// event.
//
//   node bench/faults.ts [--seeds 1000] [--first-seed N] [--streams N] [--chaos] [--jobs 1] [--json]
//
// Without --first-seed the seeds are new. Exits with 1 at the first run that violates an invariant;
// its seed replays it. A single seed prints its settings too. With --streams each run is a long one, in a larger fleet
// of which some engine fails every few seconds. With --chaos engines fail in turn, each with all of its requests, as in
// bench/chaos.ts, so that no client should notice; seeds with failed requests are printed. --jobs shares the seeds among processes.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  chaosFaultSettings,
  FaultRunError,
  type FaultRunResult,
  faultNames,
  faultSettings,
  longFaultSettings,
  playFaults,
} from '../src/core/faults/index.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    'first-seed': { type: 'string' },
    streams: { type: 'string' },
    chaos: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
/** Requests of a chaos run. */
const chaosStreams = 500;
const seeds = wholeNumber('--seeds', values.seeds, 1);
const jobs = Math.min(seeds, wholeNumber('--jobs', values.jobs, 1));
const streams =
  values.streams === undefined ? undefined : wholeNumber('--streams', values.streams, 1);
const firstSeed = wholeNumber(
  '--first-seed',
  values['first-seed'] ?? String(Math.floor(Math.random() * 2 ** 31)),
  0,
);
const replay = `${streams === undefined ? '' : ` Add --streams ${streams}.`}${values.chaos ? ' Add --chaos.' : ''}`;
if (!values.json) process.stdout.write(`seeds ${firstSeed} to ${firstSeed + seeds - 1}\n`);
if (seeds === 1 && !values.json) printSettings(firstSeed);

const sums = ['requests', 'completed', 'failed', 'cancelled', 'reroutes', 'events'] as const;
type Summary = Record<(typeof sums)[number] | 'virtualSeconds' | 'cpuSeconds', number> & {
  readonly struck: Record<string, number>;
};

const summaries =
  jobs === 1
    ? [played(firstSeed, seeds)]
    : await Promise.all(Array.from({ length: jobs }, (_, job) => playedByJob(job)));
const total = summaries.reduce(added);
if (values.json) process.stdout.write(`${JSON.stringify({ firstSeed, seeds, ...total })}\n`);
else {
  const { struck, ...rest } = total;
  const rows = Object.entries({ firstSeed, seeds, ...rest, ...struck });
  process.stdout.write(rows.map(([name, value]) => `${name.padEnd(20)} ${value}\n`).join(''));
}

function played(first: number, count: number): Summary {
  let sum: Summary | undefined;
  for (let seed = first; seed < first + count; seed++) {
    const one = summaryOf(playedSeed(seed));
    if (values.chaos && one.failed > 0) {
      process.stderr.write(`seed ${seed}: ${one.failed} of ${one.requests} failed\n`);
    }
    sum = sum === undefined ? one : added(sum, one);
  }
  const { user, system } = process.cpuUsage();
  return { ...(sum as Summary), cpuSeconds: (user + system) / 1e6 };
}

function playedSeed(seed: number): FaultRunResult {
  try {
    return playFaults(seed, settingsOf(seed));
  } catch (error) {
    if (!(error instanceof FaultRunError)) throw error;
    const { message, trail } = error;
    if (values.json) process.stdout.write(`${JSON.stringify({ seed, message, trail })}\n`);
    else process.stdout.write(`${trail.join('\n')}\n\n${message}${replay}\n`);
    process.exit(1);
  }
}

/** Plays the seeds of one job in a process of its own. */
function playedByJob(job: number): Promise<Summary> {
  const [from, to] = [job, job + 1].map((at) => firstSeed + Math.floor((at * seeds) / jobs));
  const args = ['--json', '--first-seed', `${from}`, '--seeds', `${(to ?? 0) - (from ?? 0)}`];
  if (streams !== undefined) args.push('--streams', `${streams}`);
  if (values.chaos) args.push('--chaos');
  const child = spawn(process.execPath, [import.meta.filename, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  return new Promise((resolve) => {
    child.once('close', (status) => {
      if (status === 0) resolve(JSON.parse(output) as Summary);
      else {
        process.stdout.write(output);
        process.exit(1);
      }
    });
  });
}

function summaryOf(result: FaultRunResult): Summary {
  const { requests, completed, failed, cancelled, reroutes, events, seconds } = result;
  return {
    ...{ requests, completed, failed, cancelled, reroutes, events },
    ...{ virtualSeconds: Math.round(seconds), cpuSeconds: 0 },
    struck: Object.fromEntries(faultNames.map((name) => [name, result.struck.get(name) ?? 0])),
  };
}

function added(a: Summary, b: Summary): Summary {
  const struck = Object.fromEntries(
    faultNames.map((name) => [name, (a.struck[name] ?? 0) + (b.struck[name] ?? 0)]),
  );
  const both = [...sums, 'virtualSeconds', 'cpuSeconds'] as const;
  const added = Object.fromEntries(both.map((name) => [name, a[name] + b[name]]));
  return { ...(added as Omit<Summary, 'struck'>), struck } as Summary;
}

function settingsOf(seed: number) {
  if (values.chaos) return chaosFaultSettings(seed, streams ?? chaosStreams);
  return streams === undefined ? faultSettings(seed) : longFaultSettings(seed, streams);
}

function printSettings(seed: number): void {
  const { retryPolicy, ...settings } = settingsOf(seed);
  const shown = { ...settings, reroutesMax: retryPolicy.reroutesMax };
  process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  process.stderr.write(`${flag} is "${text}"; it must be a whole number of at least ${least}.\n`);
  process.exit(2);
}
