// One engine of a simulated stack, with the details for the report.

import type { SimulatedEngine } from '../../core/simulation/index.ts';
import type { SizedEngine } from '../../core/sizing/index.ts';

/** One engine, with the details for the report. */
export interface StackEngine extends SimulatedEngine, Omit<SizedEngine, 'config' | 'cost'> {
  readonly name: string;
  /** Description of the tiers below the KV cache in HBM; undefined for none. */
  readonly offload: string | undefined;
}
