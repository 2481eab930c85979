// Reads measured step profiles from disk.
export { calibrationFile } from './calibration-file.ts';
export type { CalibrationFile, MeasuredEngine } from './calibration-reader.ts';
export { type EngineProfile, readEngineProfile } from './engine-profile.ts';
export { type LocatedProfile, locateProfile } from './locate-profile.ts';
export { readProfileDirectory } from './profile-directory.ts';
export { readLockstepCost, readMeasuredEngine, readStepCostSource } from './step-cost.ts';
