// Reads workload files from disk.
export { readWorkload } from './read-workload.ts';
