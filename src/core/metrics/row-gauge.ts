// A gauge without stored series: its values are read while the page is rendered.
import type { Labels } from './family.ts';

/**
 * One series per row.
 *
 * @example
 * registry.rowGauge({
 *   name: 'queue_length',
 *   help: 'Requests waiting.',
 *   rows: () => queues.values(),
 *   labels: ({ name }) => ({ queue: name }),
 *   value: ({ length }) => length,
 * });
 */
export interface RowGaugeOptions<Row> {
  readonly name: string;
  readonly help: string;
  /**
   * Called once per page. A large page is rendered in several turns, so the rows may change meanwhile; those of
   * a `Map` or `Set` may.
   */
  readonly rows: () => Iterable<Row>;
  readonly labels: (row: Row) => Labels;
  readonly value: (row: Row) => number;
}
