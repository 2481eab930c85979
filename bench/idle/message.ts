// What the measured router tells bench/idle.ts.

export interface PausesMessage {
  /** Longest pause of the event loop. On a busy machine, it includes the time without a CPU. */
  readonly longestMs: number;
  readonly p99Ms: number;
  /** Most CPU time of the event loop's thread between two looks, 5 ms apart: a bound on one turn. */
  readonly mostCpuMs: number;
}
