// What the rules ask about: one number or one truth each, with nothing left open.
import type { OffloadKind, PrefixReuse, StackKind } from './input.ts';

/** The workload, fleet and team as the rules see them. */
export interface PlanFacts {
  /** Mean prompt, tokens. */
  readonly promptTokens: number;
  /** Requests in flight at the peak; from the rate by Little's law where only that was given. */
  readonly concurrency: number;
  readonly prefixReuse: PrefixReuse;
  /** Of a beginning that several prompts share, tokens. */
  readonly sharedPrefixTokens: number;
  readonly preemptionsPerMinute: number;
  /** KV that the peak needs over KV that fits HBM; above 1 does not fit. */
  readonly kvDemand: number;
  readonly engines: number;
  readonly loraAdapters: number;
  readonly multiTenant: boolean;
  readonly kubernetes: boolean;
  readonly handRolled: boolean;
  readonly hbmMonitoring: boolean;
  readonly wants: {
    readonly stack?: StackKind | undefined;
    readonly kvOffload?: OffloadKind | undefined;
  };
}
