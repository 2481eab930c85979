// One record of a trace in CSV: no cell of a known trace contains a line end.

/** Returns the cells of a record, without the quotes and blanks around them. */
export function csvCells(line: string): string[] {
  if (!line.includes('"')) return line.split(',').map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    const character = line[i] as string;
    if (character === '"') {
      if (isQuoted && line[i + 1] === '"') {
        cell += '"';
        i++;
      } else isQuoted = !isQuoted;
    } else if (character === ',' && !isQuoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += character;
  }
  cells.push(cell.trim());
  return cells;
}

/** Returns where each of the columns is, by names in any case. */
export function csvColumns<Name extends string>(
  header: readonly string[],
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  const lower = header.map((column) => column.toLowerCase());
  return Object.fromEntries(
    names.map((name) => [name, lower.indexOf(name.toLowerCase())]),
  ) as Record<Name, number>;
}
