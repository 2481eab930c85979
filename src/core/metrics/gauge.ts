// A value that goes up and down.
import { type FamilyOptions, type Labels, SeriesTable } from './family.ts';

/** One series of a gauge. */
export class Gauge {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  add(by: number): void {
    this.#value += by;
  }

  get value(): number {
    return this.#value;
  }
}

export class GaugeFamily {
  readonly table: SeriesTable<Gauge>;

  constructor(options: FamilyOptions) {
    this.table = new SeriesTable(options, () => new Gauge());
  }

  with(labels: Labels = {}): Gauge {
    return this.table.get(labels);
  }

  /** Drops a series, such as that of a removed endpoint. */
  remove(labels: Labels): void {
    this.table.remove(labels);
  }
}
