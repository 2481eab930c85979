// The step profile of one engine: the tables of its degree, brought to its shape.
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
  /** What was not measured but computed, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads the profile in or below a directory; scales it if its name says another degree of tensor
 * parallelism, and fills in the tables that it lacks.
 *
 * @throws {InputError} If there is no profile, or a table is bad.
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
    `The profile is of tensor parallel size ${from}; it is scaled to ${to} by what each GPU has ` +
    'to do.';
  return { profile, notes: [scaled, ...notes] };
}
