// Compares routing policies on real traffic: `spillway up` with four engines, the first requests of
// the conversation trace, and several runs of each policy in rotated order. Writes docs/results.
//
//   node bench/policies-live.ts [--policies a,b] [--repeats 3] [--requests 1000] [--speed 2.5]
//                               [--time-scale 2] [--out docs/results/policies-live.md]
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { resultPage } from './policies-live/result-page.ts';
import { type LiveRun, runPolicy } from './policies-live/run-policy.ts';

const { values: flags } = parseArgs({
  options: {
    policies: { type: 'string', default: 'roundrobin,prefixaware,predictive' },
    repeats: { type: 'string', default: '3' },
    requests: { type: 'string', default: '1000' },
    speed: { type: 'string', default: '2.5' },
    'time-scale': { type: 'string', default: '2' },
    gpu: { type: 'string', default: 'H100-80GB' },
    out: { type: 'string', default: 'docs/results/policies-live.md' },
  },
});
const policies = flags.policies.split(',');
const load = {
  requests: Number(flags.requests),
  speed: Number(flags.speed),
  timeScale: Number(flags['time-scale']),
  gpu: flags.gpu,
};
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

await mkdir(dirname(flags.out), { recursive: true });
const runs: LiveRun[] = [];
for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
  for (let i = 0; i < policies.length && !stop.signal.aborted; i++) {
    // Rotated, so that no policy always runs first on a machine with other load.
    const policy = policies[(i + repeat) % policies.length] as string;
    const run = await runPolicy({ policy, repeat, ...load, signal: stop.signal });
    runs.push(run);
    console.error(
      `${policy} ${repeat + 1}: hit ${((run.hitRate ?? 0) * 100).toFixed(2)} %, TTFT mean ${run.ttftMeanMs.toFixed(0)} ms, ${run.failed} failed, machine ${(run.cpuShare * 100).toFixed(0)} % busy`,
    );
    // Written after each run, so that an interruption loses no results.
    const command = `node bench/policies-live.ts ${process.argv.slice(2).join(' ')}`.trim();
    await writeFile(flags.out, resultPage({ runs, policies, load, command }));
  }
}
