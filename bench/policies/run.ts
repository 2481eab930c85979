// Compares our policies, the peers' and a clairvoyant one on the same traffic in virtual time: time
// to first token, goodput, end-to-end time and time per output token by cell, with one router and
// with three. Writes docs/results/policies.md.
//
//   node bench/policies/run.ts [--seeds 5] [--first-seed 1] [--requests 3000] [--cells a,b]
//                              [--routers 1,3] [--policies a,b] [--workers 2] [--minutes 60] [--out FILE]
//                              [--scores FILE] [--synthetic FILE] [--step-cost calibrated|roofline]
//
// With --scores, scores in the file are not simulated again, and new ones are added to it. --synthetic names
// Mooncake's synthetic trace, which is not in this repository; without it, its three cells are left out.
import { execFileSync, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { cells, type StepCost, stepCosts, syntheticTrace } from './cells.ts';
import { contenderNames, contendersBefore } from './contenders.ts';
import { KeptScores } from './kept-scores.ts';
import { policiesPage } from './page.ts';
import type { Job, Score } from './play.ts';

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    'first-seed': { type: 'string', default: '1' },
    requests: { type: 'string', default: '3000' },
    cells: { type: 'string' },
    synthetic: { type: 'string' },
    routers: { type: 'string', default: '1,3' },
    policies: { type: 'string', default: contenderNames.join(',') },
    workers: { type: 'string', default: '2' },
    minutes: { type: 'string', default: '60' },
    out: { type: 'string', default: 'docs/results/policies.md' },
    scores: { type: 'string' },
    'step-cost': { type: 'string', default: 'calibrated' },
  },
});
if (flags.synthetic !== undefined) {
  if (!existsSync(flags.synthetic)) {
    console.error(`--synthetic ${flags.synthetic}: no such file; see ${syntheticTrace.url}.`);
    process.exit(2);
  }
  process.env['MOONCAKE_SYNTHETIC'] = flags.synthetic;
}
const playable = cells
  .filter(({ needs }) => needs === undefined || existsSync(needs))
  .map(({ name }) => name);
const absent = cells.map(({ name }) => name).filter((name) => !playable.includes(name));
if (absent.length > 0) {
  console.error(
    `Not simulated: ${absent.join(', ')}. They need --synthetic FILE, from ${syntheticTrace.url}.`,
  );
}
const policies = listOf(flags.policies, contenderNames);
const cellNames = listOf(flags.cells ?? playable.join(','), playable);
const [stepCost] = listOf(flags['step-cost'], stepCosts) as [StepCost];
const firstSeed = Number(flags['first-seed']);
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => firstSeed + i);
const jobs: Job[] = seeds.flatMap((seed) =>
  cellNames.flatMap((cell) =>
    flags.routers.split(',').map((count): Job => {
      const routers = Number(count);
      const contenders = contendersBefore(routers, policies);
      const requests = Number(flags.requests);
      return { cell, seed, policies: contenders, routers, requests, stepCost };
    }),
  ),
);
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const endAtMs = performance.now() + Number(flags.minutes) * 60_000;
const command = `node bench/policies/run.ts ${process.argv.slice(2).join(' ')}`.trim();
const kept = new KeptScores(flags.scores);
await kept.load();
const todo = jobs.map((job) => kept.missing(job)).filter((job) => job.policies.length > 0);
let next = 0;
await Promise.all(Array.from({ length: Math.min(2, Number(flags.workers)) }, work));
await writeFile(flags.out, page());
console.log(page());

/** Runs jobs until none is left or the time is up. */
async function work(): Promise<void> {
  const worker = fork(new URL('./worker.ts', import.meta.url), { serialization: 'advanced' });
  try {
    while (next < todo.length && performance.now() < endAtMs) {
      const job = todo[next++] as Job;
      const startMs = performance.now();
      const scores = await played(worker, job);
      await kept.add(
        scores.map((score) => ({ ...score, commit, requests: job.requests, stepCost })),
      );
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      console.error(`${job.cell}, ${job.routers} routers, seed ${job.seed}: ${seconds} s`);
      // Written after each job, so that an interruption loses no finished job.
      await writeFile(flags.out, page());
    }
  } finally {
    worker.disconnect();
  }
}

/** Of jobs with all their policies: means over different seeds would not compare. */
function page(): string {
  const whole = jobs.filter((job) => kept.missing(job).policies.length === 0);
  return policiesPage({
    ...{ scores: kept.of(whole), command, stepCost, jobs: jobs.length, played: whole.length },
  });
}

async function played(worker: ReturnType<typeof fork>, job: Job): Promise<Score[]> {
  return await new Promise((resolve, reject) => {
    const gone = () => reject(new Error(`The worker ended in ${job.cell}`));
    worker.once('exit', gone);
    worker.once('message', (message) => {
      worker.off('exit', gone);
      resolve(message as Score[]);
    });
    worker.send(job);
  });
}

function listOf(text: string, allowed: readonly string[]): string[] {
  const names = text.split(',');
  const unknown = names.filter((name) => !allowed.includes(name));
  if (unknown.length === 0) return names;
  console.error(`Unknown: ${unknown.join(', ')}. Known: ${allowed.join(', ')}.`);
  process.exit(2);
}
