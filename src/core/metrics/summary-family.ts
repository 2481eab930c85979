// Summaries without quantiles, like those of the Python client library: a count and a sum.
import { type FamilyOptions, type Labels, SeriesTable } from './family.ts';

/** One series of a summary. */
export class Summary {
  #count = 0;
  #sum = 0;

  observe(value: number): void {
    this.#count++;
    this.#sum += value;
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }
}

export class SummaryFamily {
  readonly table: SeriesTable<Summary>;

  constructor(options: FamilyOptions) {
    this.table = new SeriesTable(options, () => new Summary());
  }

  with(labels: Labels = {}): Summary {
    return this.table.get(labels);
  }
}
