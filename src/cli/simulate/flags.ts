// The flags of `spillway simulate`, and checks that refuse those without effect.
import { InputError } from '../../core/base/index.ts';
import type { AdmissionFlags } from '../admission-flags.ts';
import { givenPolicyFlag } from '../policy-flags.ts';
import type { StackFlags } from './stack-flags.ts';

export interface SimulateFlags extends StackFlags, AdmissionFlags {
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

/** Flags that the values of a stack replace, or that only a recorded engine has. */
const notForStacks = [
  ...(['engineArgs', 'engines', 'gpu', 'policy', 'kvOffloadingSize', 'kvOffload'] as const),
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
  ...(['queueTimeout', 'maxQueuedRequests', 'saturationWait', 'holdTimeout'] as const),
];
const stackOnly = [
  ...(['subchart', 'set', 'setString', 'workload', 'setWorkload'] as const),
  ...(['fail', 'offload', 'loseStore'] as const),
  ...(['link', 'sloTtftMs', 'sloTpotMs', 'html'] as const),
];

/** Flags without effect on a fleet, whose engines are sized from the catalogue. */
const engineOnly = [
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
];
const fleetOnly = [
  ...(['queueTimeout', 'maxQueuedRequests', 'saturationWait', 'holdTimeout'] as const),
  ...(['policy', 'speed', 'requests', 'seed'] as const),
  ...(['kvOffloadingSize', 'kvOffload'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
];

/** @throws {InputError} If a flag is given that a stack of a values file would not read. */
export function checkStackFlags(flags: SimulateFlags): void {
  const why = 'cannot be used with -f; set it in the values file, or with --set';
  refuse(flags, notForStacks, why);
  refusePolicyFlags(flags, why);
}

/** @throws {InputError} If a flag is given that a fleet would not read. */
export function checkFleetFlags(flags: SimulateFlags): void {
  refuse(flags, engineOnly, 'requires --engine-args; remove it');
}

/** @throws {InputError} If a flag is given that one recorded engine would not read. */
export function checkEngineFlags(flags: SimulateFlags): void {
  const why = 'requires --engines; remove it';
  refuse(flags, fleetOnly, why);
  refusePolicyFlags(flags, why);
}

/** @throws {InputError} If a flag is given that only a stack would read. */
export function checkNoStackFlags(flags: SimulateFlags): void {
  refuse(flags, stackOnly, 'requires -f VALUES.yaml; remove it');
}

function refusePolicyFlags(flags: SimulateFlags, why: string): void {
  const given = givenPolicyFlag(flags);
  if (given !== undefined) throw new InputError(`${given} ${why}.`);
}

function refuse(flags: SimulateFlags, names: readonly (keyof SimulateFlags)[], why: string): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new InputError(`--${flag} ${why}.`);
}
