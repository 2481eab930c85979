// Measured step profiles on disk.
export { type EngineProfile, readEngineProfile } from './engine-profile.ts';
export { type LocatedProfile, locateProfile } from './locate-profile.ts';
export { readProfileDirectory } from './profile-directory.ts';
