// `spillway simulate --trace … --engines N`: a fleet of the catalogue.
import { InputError } from '../../core/base/index.ts';
import { defaultPolicyName, unusedParameters } from '../../core/routing/index.ts';
import { checkOutputs, writeOutputs } from '../../io/files/index.ts';
import { fleetRunJson, fleetRunTable, simulateFleetRun } from '../../tools/simulate-fleet/index.ts';
import { perRequestLines } from '../../tools/simulate-report/index.ts';
import { admissionFrom } from '../admission-flags.ts';
import type { Delivery } from '../deliver.ts';
import { policyParametersFrom, unusedFlagText } from '../policy-flags.ts';
import { checkFleetFlags, type SimulateFlags } from './flags.ts';
import { progressBar } from './progress-bar.ts';

/** Simulates the trace on the fleet. */
export async function playFleet(
  flags: SimulateFlags,
  trace: string,
  engines: number,
): Promise<Delivery> {
  checkFleetFlags(flags);
  if (flags.kvOffload && flags.kvOffloadingSize === undefined) {
    throw new InputError('--kv-offload needs --kv-offloading-size, the host memory in GiB.');
  }
  const policy = flags.policy ?? defaultPolicyName;
  const policyParameters = policyParametersFrom(flags);
  const [unused] = unusedParameters([policy], policyParameters);
  if (unused) throw new InputError(unusedFlagText(unused, '--policy', policy));
  const requests = { file: flags.perRequest, what: 'requests' };
  await checkOutputs([requests]);
  const bar = progressBar();
  const run = await simulateFleetRun({
    ...{
      trace,
      traceUnit: flags.traceUnit,
      engines,
      percentiles: flags.percentiles,
      requests: flags.requests,
    },
    gpu: flags.gpu ?? 'H100-80GB',
    model: flags.model ?? 'Qwen/Qwen3-8B',
    tensorParallelSize: flags.tensorParallelSize,
    pipelineParallelSize: flags.pipelineParallelSize,
    dataParallelSize: flags.dataParallelSize,
    ...{ policy, policyParameters, admission: admissionFrom(flags) },
    speed: flags.speed ?? 1,
    seed: flags.seed ?? 1,
    profile: flags.profile,
    hostBytes: flags.kvOffloadingSize && flags.kvOffloadingSize * 2 ** 30,
    onProgress: bar.show,
  });
  bar.clear();
  const lines = () => perRequestLines(run.timings, 'arrival');
  return {
    print: () => (flags.json ? `${JSON.stringify(fleetRunJson(run))}\n` : fleetRunTable(run)),
    write: [() => writeOutputs([{ ...requests, text: lines }])],
  };
}
