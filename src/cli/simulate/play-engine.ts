// `spillway simulate --trace … --engine-args …`: one recorded vLLM server.

import { checkOutputs, writeOutputs } from '../../io/files/index.ts';
import {
  simulatedRunJson,
  simulatedRunTable,
  simulateRun,
} from '../../tools/simulate-engine/index.ts';
import { perRequestLines } from '../../tools/simulate-report/index.ts';
import type { Delivery } from '../deliver.ts';
import { checkEngineFlags, type SimulateFlags } from './flags.ts';

/** Simulates the trace on the engine. */
export async function playEngine(
  flags: SimulateFlags,
  trace: string,
  engineArgs: string,
): Promise<Delivery> {
  checkEngineFlags(flags);
  const requests = { file: flags.perRequest, what: 'requests' };
  await checkOutputs([requests]);
  const { hostMsPerStep, allReduceLatencyUs, allReduceGbps } = flags;
  const run = await simulateRun({
    trace,
    traceUnit: flags.traceUnit,
    engineArgs,
    profile: flags.profile,
    gpu: flags.gpu,
    model: flags.model,
    numGpuBlocks: flags.numGpuBlocksOverride,
    hostSecondsPerStep: hostMsPerStep === undefined ? undefined : hostMsPerStep / 1e3,
    allReduceLatencySeconds:
      allReduceLatencyUs === undefined ? undefined : allReduceLatencyUs / 1e6,
    allReduceBytesPerSecond: allReduceGbps === undefined ? undefined : allReduceGbps * 1e9,
    percentiles: flags.percentiles,
  });
  const lines = () => perRequestLines(run.result.timings, 'queued');
  return {
    print: () =>
      flags.json ? `${JSON.stringify(simulatedRunJson(run))}\n` : simulatedRunTable(run),
    write: [() => writeOutputs([{ ...requests, text: lines }])],
  };
}
