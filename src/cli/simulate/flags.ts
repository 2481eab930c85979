// The flags of `spillway simulate`, and which of them nobody would read.
import { InputError } from '../../core/base/index.ts';
import type { StackFlags } from './stack-flags.ts';

export interface SimulateFlags extends StackFlags {
  readonly engineArgs?: string;
  readonly gpu?: string;
  readonly engines?: number;
  readonly tensorParallelSize?: number;
  readonly pipelineParallelSize?: number;
  readonly dataParallelSize?: number;
  readonly policy?: string;
  readonly seed?: number;
  readonly kvOffloadingSize?: number;
  readonly kvOffload?: 'native';
  readonly numGpuBlocksOverride?: number;
  readonly hostMsPerStep?: number;
  readonly allReduceLatencyUs?: number;
  readonly allReduceGbps?: number;
  readonly percentiles: readonly number[];
  readonly perRequest?: string;
  readonly json?: true;
  readonly html?: string;
}

/** What the values say for a stack, or what only a recorded engine has. */
const notForStacks = [
  ...(['engineArgs', 'engines', 'gpu', 'policy', 'kvOffloadingSize', 'kvOffload'] as const),
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
];
const stackOnly = [
  ...(['set', 'setString', 'workload', 'setWorkload', 'fail', 'offload', 'loseStore'] as const),
  ...(['link', 'sloTtftMs', 'sloTpotMs', 'html'] as const),
];

/** Flags that mean nothing to a fleet, whose engines are sized from the catalogue. */
const engineOnly = [
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
];
const fleetOnly = [
  ...(['policy', 'speed', 'requests', 'seed'] as const),
  ...(['kvOffloadingSize', 'kvOffload'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
];

/** @throws {InputError} If a flag is given that a stack of a values file would not read. */
export function checkStackFlags(flags: SimulateFlags): void {
  refuse(flags, notForStacks, 'does not go with -f; set it in the values file, or with --set');
}

/** @throws {InputError} If a flag is given that a fleet would not read. */
export function checkFleetFlags(flags: SimulateFlags): void {
  refuse(flags, engineOnly, 'goes with --engine-args only; leave it out');
}

/** @throws {InputError} If a flag is given that one recorded engine would not read. */
export function checkEngineFlags(flags: SimulateFlags): void {
  refuse(flags, fleetOnly, 'goes with --engines only; leave it out');
}

/** @throws {InputError} If a flag is given that only a stack would read. */
export function checkNoStackFlags(flags: SimulateFlags): void {
  refuse(flags, stackOnly, 'goes with -f VALUES.yaml only; leave it out');
}

function refuse(flags: SimulateFlags, names: readonly (keyof SimulateFlags)[], why: string): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new InputError(`--${flag} ${why}.`);
}
