// Parses CSV files.
export { parseCsv } from './parse-csv.ts';
