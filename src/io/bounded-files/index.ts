// Reads files that are followed while a program runs.
export { readBounded } from './read-bounded.ts';
