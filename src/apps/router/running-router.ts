// A running router.

export interface RunningRouter {
  /** http://host:port, or https:// */
  readonly url: string;
  readonly port: number;
  /** Where health, metrics and views are served if not at `url`. */
  readonly adminUrl: string | undefined;
  /** Where LMCache in engines reports what it has: pull, reply and heartbeat; empty without a controller. */
  readonly lmcacheEndpoints: readonly string[];
  /** Where LMCache's servers report what they have; undefined without a coordinator. */
  readonly lmcacheCoordinatorUrl: string | undefined;
  /** Resolves once every engine's health has been checked once. */
  readonly probed: Promise<void>;
  /**
   * Announces the stop: `/health` responds with 503 and each response closes its connection, while
   * requests are still served. Load balancers need that time to notice.
   */
  retire(): void;
  /**
   * Stops new requests; resolves when those in flight have ended. Those that have not after the given
   * time end with an error.
   */
  close(shutdownTimeoutMs: number): Promise<void>;
}
