// Converts a step profile from one tensor-parallel degree to another. The work of each GPU shrinks with its
// share; the startup time of a kernel does not.
import type { ModelSpec } from '../catalogue/model-spec.ts';
import { type Grid, mapGrid, mapSamples, type Samples, smallestValue } from './interpolation.ts';
import type { StepProfile } from './profile.ts';

/** Operations that every GPU of a tensor-parallel engine executes in full. */
const undivided = new Set(['layernorm', 'final_layernorm', 'embedding', 'sampler']);

/**
 * Computes the profile of one of `to` GPUs from that of one of `from` GPUs. Each operation consists of its
 * kernel's startup (the shortest time of its kind in the tables) and of work in proportion to the GPU's
 * share. Attention shrinks until each GPU has one KV head.
 *
 * Kernels of small shapes reach a smaller share of the GPU's rates, which is not modelled: use a profile of
 * the right degree if there is one.
 */
export function scaleProfile(
  profile: StepProfile,
  { model, from, to }: { readonly model: ModelSpec; readonly from: number; readonly to: number },
): StepProfile {
  if (from === to) return profile;
  const share = from / to;
  const heads = (degree: number) => Math.min(degree, model.kvHeads);
  const attentionShare = model.latentAttention ? share : heads(from) / heads(to);
  const tables = [...profile.dense.values(), ...profile.perSequence.values()];
  const start = Math.min(...tables.map(smallestValue));
  const scaled = (table: ReadonlyMap<string, Samples>) =>
    new Map(
      [...table].map(([name, samples]) => [
        name,
        undivided.has(name) ? samples : mapSamples(samples, divide(start, share)),
      ]),
    );
  const grid = (of: Grid, by: number) => mapGrid(of, divide(smallestValue(of), by));
  return {
    attention: grid(profile.attention, attentionShare),
    dense: scaled(profile.dense),
    perSequence: scaled(profile.perSequence),
    experts: profile.experts && grid(profile.experts, share),
    sharedExperts: profile.sharedExperts,
  };
}

function divide(start: number, share: number): (time: number) => number {
  return (time) => start + Math.max(0, time - start) * share;
}
