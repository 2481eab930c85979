// The controller of LMCache in the router, to which engines report what they have in host memory and on disk.
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import {
  type Controller,
  declareController,
  openController,
} from '../../../io/lmcache-controller/index.ts';

/** Upstream's settings. */
export interface LmcacheControllerOptions {
  readonly host: string;
  /** Ports; 0 for any free one. */
  readonly pullPort: number;
  readonly replyPort: number;
  readonly heartbeatPort: number;
  /** Without a message for this long, a worker is forgotten, with what it has. */
  readonly workerTimeoutSeconds: number;
  /** How often silent workers are looked for. */
  readonly checkSeconds: number;
  /** PYTHONHASHSEED of the engines. */
  readonly hashSeed: number;
}

/** @throws {InputError} If a port cannot be listened on. */
export async function openLmcacheController(
  options: LmcacheControllerOptions,
  metrics: MetricsRegistry,
): Promise<Controller> {
  const { host, pullPort, replyPort, heartbeatPort, workerTimeoutSeconds, checkSeconds } = options;
  const controller = await openController({
    ...{ host, pullPort, replyPort, heartbeatPort },
    ...{ silentSecondsMax: workerTimeoutSeconds, checkMs: checkSeconds * 1000 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
  });
  declareController(metrics, controller);
  return controller;
}
