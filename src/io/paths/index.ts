// Paths that files and people name.
export { fileProblem } from './file-problem.ts';
export { pathBeside } from './path-beside.ts';
