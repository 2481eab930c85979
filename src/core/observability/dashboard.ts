// What a dashboard is: rows of panels, each with queries in PromQL. Grafana's JSON is made of these (grafana.ts).

/** Grafana's names of units. */
export type PanelUnit =
  | 'short'
  | 's'
  | 'reqps'
  | 'percentunit'
  | 'bytes'
  | 'Bps'
  | 'currencyUSD'
  | 'none';

/**
 * How a panel shows its queries: as lines over time, as one number, or as the buckets of a histogram over time,
 * for which the query returns one series per `le`.
 */
export type PanelKind = 'timeseries' | 'stat' | 'heatmap';

export interface Panel {
  readonly title: string;
  /** What it shows, and what to look for; shown when the pointer is over the title. */
  readonly description: string;
  /** @default 'short' */
  readonly unit?: PanelUnit;
  /** @default 'timeseries' */
  readonly kind?: PanelKind;
  /** Legend, in which `{{label}}` stands for a label value, to PromQL. */
  readonly queries: Readonly<Record<string, string>>;
  /** Value from which it is drawn in red. */
  readonly alarmAt?: number;
}

export interface PanelRow {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A variable that the reader of a dashboard sets. Queries read it as `$name`. */
export type DashboardVariable =
  | {
      readonly kind: 'label';
      readonly name: string;
      /** Of which metric the values of the label are offered. */
      readonly metric: string;
      readonly label: string;
    }
  | {
      readonly kind: 'number';
      readonly name: string;
      readonly label: string;
      readonly value: number;
    };

export interface Dashboard {
  /** Name of its file, without `.json`, and the end of its uid. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Besides the data source and the namespace. */
  readonly variables?: readonly DashboardVariable[];
  readonly rows: readonly PanelRow[];
}
