// Assumptions for values that the input leaves open, with the reasons that the page prints.

export interface Assumption {
  /** Key of the input file, e.g. `workload.outputTokens`. */
  readonly key: string;
  readonly value: string;
  readonly because: string;
}

/** Collects assumptions while values are filled in. */
export class Assumptions {
  readonly list: Assumption[] = [];

  /** @returns The given value, or else the assumed one, after recording it. */
  fill<T>(key: string, given: T | undefined, assumed: T, because: string): T {
    if (given !== undefined) return given;
    this.note(key, String(assumed), because);
    return assumed;
  }

  note(key: string, value: string, because: string): void {
    this.list.push({ key, value, because });
  }
}
