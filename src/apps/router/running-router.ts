// A running router.

export interface RunningRouter {
  /** http://host:port */
  readonly url: string;
  readonly port: number;
  /** Resolves once every engine's health has been checked once. */
  readonly probed: Promise<void>;
  /** Stops new requests; resolves when those in flight have ended, or are aborted after the given time. */
  close(shutdownTimeoutMs: number): Promise<void>;
}
