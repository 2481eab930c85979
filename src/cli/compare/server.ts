// The servers of a comparison, while they are needed.

/** A server that gets load. */
export interface Server {
  readonly url: URL;
  /** What the user calls it. */
  readonly name: string;
}

/** A server while it is needed. */
export interface HeldServer extends Server {
  stop(hurry: AbortSignal): Promise<void>;
}

/** The cluster in which groups are deployed. */
export interface GroupCluster {
  readonly context?: string;
  readonly namespace?: string;
  /** Of "spillway deploy", without the group. */
  readonly release: string;
}
