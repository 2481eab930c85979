// The records of a CSV text: cells may be quoted, as RFC 4180 has it.

/** Records of the text with their cells; empty lines are left out. */
export function csvRecords(text: string): string[][] {
  const records: string[][] = [];
  let cells: string[] = [];
  // A cell in quotes, in which two quotes are one, or anything up to a comma or the line's end.
  const cell = /(?:"((?:[^"]|"")*)"[^,\r\n]*|([^,\r\n]*))(,|\r\n|\n|\r|$)/y;
  const content = text.replace(/^\uFEFF/, '');
  while (cell.lastIndex < content.length || cells.length > 0) {
    const found = cell.exec(content);
    if (found === null) break;
    const [, quoted, plain = '', end] = found;
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (cells.some((text) => text.trim() !== '')) records.push(cells);
    cells = [];
  }
  return records;
}
