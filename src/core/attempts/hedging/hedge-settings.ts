// The settings of hedged requests: one table for the command line and the values file.

/** What users set; see the table for meanings and defaults. */
export interface HedgeSettings {
  /** Percent of the requests; 0 turns hedging off. */
  readonly budget: number;
}

interface HedgeSetting {
  /** Key under `routerSpec.hedging`. */
  readonly key: keyof HedgeSettings;
  readonly flag: string;
  readonly unit: 'percent';
  readonly help: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

export const hedgeSettings: readonly [HedgeSetting] = [
  {
    key: 'budget',
    flag: '--hedge-budget',
    unit: 'percent',
    help: 'maximum percentage of streamed requests that are sent to a second, idle engine because their first byte is later than that of 95 % of the requests; the first response wins. 0: none',
    default: 0,
    min: 0,
    max: 10,
  },
];
