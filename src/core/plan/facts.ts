// Inputs of the rules, all resolved: one number or one boolean each.
import type { OffloadKind, PrefixReuse, StackKind } from './kinds.ts';
import type { StackNeed } from './stack-needs.ts';

/** Workload, fleet and team. */
export interface PlanFacts {
  /** Mean prompt length in tokens. */
  readonly promptTokens: number;
  /** Requests in flight at the peak; computed by Little's law if only a rate was given. */
  readonly concurrency: number;
  readonly prefixReuse: PrefixReuse;
  /** Length of the prefix that several prompts share, in tokens. */
  readonly sharedPrefixTokens: number;
  readonly preemptionsPerMinute: number;
  /** KV cache needed at the peak over the KV cache in HBM; above 1 it does not fit. */
  readonly kvDemand: number;
  /** KV cache that prompts come back to, over the KV cache in HBM where they can be routed to. */
  readonly workingSet: number;
  readonly engines: number;
  readonly loraAdapters: number;
  readonly multiTenant: boolean;
  readonly kubernetes: boolean;
  readonly handRolled: boolean;
  readonly hbmMonitoring: boolean;
  /** Features that the team needs beyond engines, router and monitoring. */
  readonly needs: readonly StackNeed[];
  readonly wants: {
    readonly stack?: StackKind | undefined;
    readonly kvOffload?: OffloadKind | undefined;
  };
}
