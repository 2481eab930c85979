// Paths in files and on the command line, their errors, and the files that commands write.
export { fileProblem } from './file-problem.ts';
export {
  appendOutput,
  checkOutput,
  checkOutputs,
  makeFolder,
  writeOutput,
  writeOutputs,
} from './output.ts';
export { pathBeside } from './path-beside.ts';
