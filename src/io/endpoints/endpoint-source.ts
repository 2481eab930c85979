// The contract of endpoint sources: a list, a file, DNS, Kubernetes.

/** An engine that a source lists. */
export interface DiscoveredEndpoint {
  /** http:// or https://, without a trailing slash; no two engines share one. */
  readonly url: string;
  /** Its name in logs, headers and views; undefined for its address. */
  readonly name?: string | undefined;
  /** Its `model` label, by which the router knows engines that prefill and engines that decode. */
  readonly label?: string | undefined;
  /** Value of `Authorization`, if its URL was given with a user and a password. */
  readonly authorization?: string | undefined;
  /** What was changed about its URL, for the log. */
  readonly note?: string | undefined;
  /** Models to assume if the engine does not list its own. */
  readonly models: readonly string[];
}

export type EndpointChange =
  | { readonly kind: 'added' | 'changed'; readonly endpoint: DiscoveredEndpoint }
  | { readonly kind: 'removed'; readonly url: string };

/**
 * A source of endpoints. Every source fulfils this contract (endpoint-source.contract.test.ts):
 *
 * - The first batch is the whole set as it is now, all `added`; it may be empty.
 * - Each later batch is the difference from the set before. It is never empty, and is applied at
 * once.
 * - A source that cannot be read keeps its last set and logs the reason once, not at each attempt.
 * - An aborted signal ends the iteration without an error. An iteration that ends by itself means
 * that the set will not change again.
 */
export interface EndpointSource {
  /** Its name in logs and views: `--static-backends`, `file engines.yaml`. */
  readonly name: string;
  /** @throws {InputError} Only at the first step: the configuration of the source cannot work. */
  changes(signal: AbortSignal): AsyncIterable<readonly EndpointChange[]>;
}

/** Waits. An aborted signal ends the wait early, without an error. Tests pass their own. */
export type Wait = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** The log in which a source reports why it cannot be read. */
export interface SourceLog {
  info(message: string): void;
  warning(message: string): void;
}

/**
 * Maximum number of engines of one source. A larger set is refused, and the last one stays in
 * force.
 */
export const endpointsMax = 4_096;
