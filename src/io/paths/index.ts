// Paths that files name.
export { pathBeside } from './path-beside.ts';
