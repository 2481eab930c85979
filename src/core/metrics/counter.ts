// Counters: values that only increase.
import { type FamilyOptions, type Labels, SeriesTable } from './family.ts';

/** One series of a counter. */
export class Counter {
  #value = 0;

  /** @throws {RangeError} If `by` is negative. */
  inc(by = 1): void {
    if (!(by >= 0)) throw new RangeError(`A counter cannot grow by ${by}`);
    this.#value += by;
  }

  get value(): number {
    return this.#value;
  }
}

export class CounterFamily {
  readonly table: SeriesTable<Counter>;

  constructor(options: FamilyOptions) {
    const name = options.name.endsWith('_total') ? options.name : `${options.name}_total`;
    this.table = new SeriesTable({ ...options, name }, () => new Counter());
  }

  /** The series of these label values; keep a reference on a hot path. */
  with(labels: Labels = {}): Counter {
    return this.table.get(labels);
  }
}
