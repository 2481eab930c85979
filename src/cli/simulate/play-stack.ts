// `spillway simulate -f VALUES.yaml`: the stack of a values file.
import { InputError } from '../../core/base/index.ts';
import { checkOutputs, writeOutputs } from '../../io/files/index.ts';
import { loadValues } from '../../io/values/index.ts';
import { perRequestLines } from '../../tools/simulate-report/index.ts';
import {
  simulateStack,
  stackJson,
  stackPage,
  stackTable,
} from '../../tools/simulate-stack/index.ts';
import type { Delivery } from '../deliver.ts';
import { valuesChecks } from '../values-checks.ts';
import { toFailure, toOffload, toOutage } from './arguments.ts';
import { checkStackFlags, type SimulateFlags } from './flags.ts';
import { progressBar } from './progress-bar.ts';

/** Simulates the traffic on the stack. */
export async function playStack(flags: SimulateFlags): Promise<Delivery> {
  checkStackFlags(flags);
  const { trace, workload } = flags;
  if ((trace === undefined) === (workload === undefined)) {
    throw new InputError('simulate -f needs either --trace FILE or --workload FILE.');
  }
  const requests = { file: flags.perRequest, what: 'requests' };
  const page = { file: flags.html, what: 'page' };
  await checkOutputs([requests, page]);
  const values = await loadValues({
    files: flags.file,
    subchart: flags.subchart,
    sets: flags.set,
    setStrings: flags.setString,
    preset: flags.preset,
    ...(await valuesChecks()),
  });
  const bar = progressBar();
  const run = await simulateStack({
    ...{
      values,
      trace,
      traceUnit: flags.traceUnit,
      workload,
      model: flags.model,
      percentiles: flags.percentiles,
    },
    ...{ requests: flags.requests, speed: flags.speed ?? 1, seed: flags.seed ?? 1 },
    ...{ failures: (flags.fail ?? []).map(toFailure), workloadSets: flags.setWorkload },
    outage: flags.loseStore === undefined ? undefined : toOutage(flags.loseStore),
    offload: flags.offload === undefined ? undefined : toOffload(flags.offload),
    ...{ link: flags.link, profile: flags.profile },
    ...((flags.sloTtftMs ?? flags.sloTpotMs) !== undefined && {
      limits: { ttftMs: flags.sloTtftMs, tpotMs: flags.sloTpotMs },
    }),
    onProgress: bar.show,
  });
  bar.clear();
  const command = ['spillway', ...process.argv.slice(2)].join(' ');
  return {
    print: () => (flags.json ? `${JSON.stringify(stackJson(run))}\n` : stackTable(run)),
    write: [
      () =>
        writeOutputs([
          { ...requests, text: () => perRequestLines(run.timings, 'arrival') },
          { ...page, text: () => stackPage(run, command) },
        ]),
    ],
  };
}
