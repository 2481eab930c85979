// One run, one folder: what was measured, with what, where, and every event on the way.
export {
  listRuns,
  readResponses,
  readRun,
  responsesOf,
  type SavedResponse,
  type SavedRun,
} from './read-run.ts';
export { readResultFile, resultFilesIn } from './result-file.ts';
export { differences, figureOf, loadOf, type RunFigure, runFigures } from './run-figures.ts';
export { createRunFolder, type RunFolder } from './run-folder.ts';
export { loadPage, picturedMax, runsJson, runsPage, runsTable } from './runs-page.ts';
