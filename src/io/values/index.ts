// Reads values files from disk or standard input.
export { type LoadOptions, loadValues, readValues } from './load.ts';
