// Reads values files, and other files written by hand, from disk or standard input.
export { type LoadOptions, loadValues, readSubchart, readValues } from './load.ts';
export { type InputText, readInputText } from './read-text.ts';
