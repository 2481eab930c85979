// Reports why a source cannot be read: each reason once, and when it can be read again.
import type { SourceLog } from './endpoint-source.ts';

/** Parts of a source may fail by themselves: a reason that several share is logged once. */
export class SourceProblem {
  readonly #name: string;
  readonly #log: SourceLog;
  /** The last reason of each part that cannot be read. */
  readonly #reasons = new Map<string, string>();

  constructor(name: string, log: SourceLog) {
    this.#name = name;
    this.#log = log;
  }

  /** @param engines Number of engines that stay in use. */
  report(error: unknown, engines: number, part = ''): void {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
    const isKnown = Array.from(this.#reasons.values()).includes(reason);
    this.#reasons.set(part, reason);
    if (!isKnown) this.#log.warning(`${this.#name}: ${reason}; ${kept(engines)}`);
  }

  solved(part = ''): void {
    if (this.#reasons.delete(part) && this.#reasons.size === 0) {
      this.#log.info(`${this.#name}: can be read again`);
    }
  }
}

function kept(count: number): string {
  if (count === 0) return 'it has listed no engines yet';
  if (count === 1) return 'the engine that it listed stays in use';
  return `the ${count} engines that it listed stay in use`;
}
