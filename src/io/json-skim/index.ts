// Finds the values of a few keys in large JSON bodies, in a separate thread.
export { SkimThread } from './skim-thread.ts';
