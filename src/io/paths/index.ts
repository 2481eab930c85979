// Paths in files and on the command line, and their errors.
export { fileProblem } from './file-problem.ts';
export { pathBeside } from './path-beside.ts';
