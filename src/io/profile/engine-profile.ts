// Reads the step profile of one engine: the tables of its degree of parallelism, scaled to its
// shape.
import {
  fillProfileGaps,
  type ProfileGapOptions,
  type StepProfile,
  scaleProfile,
} from '../../core/engine/index.ts';
import { locateProfile } from './locate-profile.ts';
import { readProfileDirectory } from './profile-directory.ts';

export interface EngineProfile {
  readonly profile: StepProfile;
  /** One sentence for each part that was computed, not measured. */
  readonly notes: readonly string[];
}

/**
 * Reads the profile in or below a directory. Scales it if its name states another degree of tensor
 * parallelism, and computes the tables that it lacks.
 *
 * @throws {InputError} If there is no profile, or a table is invalid.
 */
export async function readEngineProfile(
  directory: string,
  options: ProfileGapOptions,
): Promise<EngineProfile> {
  const { model, tensorParallelSize: to } = options;
  const located = await locateProfile(directory, to);
  const from = located.tensorParallelSize ?? to;
  const measured = await readProfileDirectory(located.directory);
  const { profile, notes } = fillProfileGaps(scaleProfile(measured, { model, from, to }), options);
  if (from === to) return { profile, notes };
  const scaled =
    `The profile was measured at tensor parallel size ${from}; it is scaled to ${to} by the work of each ` +
    'GPU.';
  return { profile, notes: [scaled, ...notes] };
}
