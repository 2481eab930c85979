// Histograms by label values.
import { Histogram } from '../base/index.ts';
import { type FamilyOptions, type Labels, SeriesTable } from './family.ts';

export class HistogramFamily {
  readonly table: SeriesTable<Histogram>;

  /** @param options `bounds`: upper bounds, ascending, without +Inf. */
  constructor(options: FamilyOptions & { readonly bounds: readonly number[] }) {
    this.table = new SeriesTable(options, () => new Histogram(options.bounds));
  }

  with(labels: Labels = {}): Histogram {
    return this.table.get(labels);
  }
}
