// The shared part of counters, gauges and histograms: a name, label names, and a bounded set of series.

/** Label names to values; every name that the family declares. */
export type Labels = Readonly<Record<string, string>>;

export interface FamilyOptions {
  /** Name on the wire; a missing `_total` is added to a counter's name. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Maximum number of series; beyond it, all new label values share one series. */
  readonly seriesMax?: number;
}

/** Label value of the series that counts everything beyond `seriesMax`. */
const overflowValue = '__overflow__';

/** One series with its labels. */
export interface SeriesEntry<S> {
  readonly labels: Labels;
  /** The labels as on the page. */
  readonly text: string;
  readonly series: S;
  /** For histograms, once they are rendered: the labels of a bucket before and after its bound. */
  aroundBound: readonly [string, string] | undefined;
}

/** The series of one family, by label values. */
export class SeriesTable<S> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly seriesMax: number;
  readonly #create: () => S;
  readonly #series = new Map<string, SeriesEntry<S>>();

  constructor(options: FamilyOptions, create: () => S) {
    this.name = options.name;
    this.help = options.help;
    this.labelNames = options.labels ?? [];
    this.seriesMax = options.seriesMax ?? 10_000;
    this.#create = create;
  }

  /** The series of these label values, created on first use. */
  get(labels: Labels): S {
    const found = this.#series.get(this.#key(labels));
    if (found) return found.series;
    const kept =
      this.#series.size < this.seriesMax
        ? labels
        : Object.fromEntries(this.labelNames.map((name) => [name, overflowValue]));
    const key = this.#key(kept);
    const existing = this.#series.get(key);
    if (existing) return existing.series;
    const series = this.#create();
    const text = labelText(kept);
    this.#series.set(key, { labels: kept, text, series, aroundBound: undefined });
    return series;
  }

  remove(labels: Labels): void {
    this.#series.delete(this.#key(labels));
  }

  /** Drops every series with all these label values, such as those of a removed engine. */
  removeMatching(labels: Labels): void {
    const wanted = Object.entries(labels);
    for (const [key, { labels: found }] of this.#series) {
      if (wanted.every(([name, value]) => found[name] === value)) this.#series.delete(key);
    }
  }

  /** Series in the order of their creation. */
  all(): IterableIterator<SeriesEntry<S>> {
    return this.#series.values();
  }

  #key(labels: Labels): string {
    let key = '';
    for (const name of this.labelNames) {
      const value = labels[name];
      if (value === undefined) throw new RangeError(`${this.name} needs the label "${name}"`);
      key += `${value}\u0000`;
    }
    return key;
  }
}

/** `{a="1",b="2"}` with the names sorted, or nothing without labels. */
export function labelText(labels: Labels): string {
  const pairs = sortedPairs(labels, () => true);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

/** `a="1"` for each label whose name is wanted, sorted by name. */
export function sortedPairs(labels: Labels, isWanted: (name: string) => boolean): string[] {
  const names = Object.keys(labels);
  if (names.length > 1) names.sort();
  return names.filter(isWanted).map((name) => `${name}="${escapeLabel(labels[name] ?? '')}"`);
}

function escapeLabel(value: string): string {
  return /[\\\n"]/.test(value)
    ? value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')
    : value;
}
