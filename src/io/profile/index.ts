// Measured step profiles on disk.
export { readProfileDirectory } from './profile-directory.ts';
