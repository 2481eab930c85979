// Where the cells of the map of HBM are.

export interface MapShape {
  readonly columns: number;
  /** Sides of a cell and the space between two, in pixels. */
  readonly cell: number;
  readonly gap: number;
  readonly height: number;
  readonly count: number;
}

const cellMax = 40;
const cellMin = 3;

/** The largest square cells with which all engines fit. @param width 0 before the page is laid out. */
export function mapShape(count: number, width: number, heightMax: number): MapShape {
  for (let cell = cellMax; cell > cellMin; cell--) {
    const shape = shapeWith(count, width, cell);
    if (shape.height <= heightMax) return shape;
  }
  return shapeWith(count, width, cellMin);
}

function shapeWith(count: number, width: number, cell: number): MapShape {
  const gap = cell > 8 ? 2 : 1;
  const columns = Math.max(1, Math.floor((width + gap) / (cell + gap)));
  const rows = Math.max(1, Math.ceil(count / columns));
  return { columns, cell, gap, height: rows * (cell + gap) - gap, count };
}

/** The index of the cell at a point; undefined beside all cells. */
export function cellAt({ columns, cell, gap, count }: MapShape, x: number, y: number) {
  const [column, row] = [Math.floor(x / (cell + gap)), Math.floor(y / (cell + gap))];
  const index = row * columns + column;
  return column < 0 || column >= columns || index < 0 || index >= count ? undefined : index;
}
