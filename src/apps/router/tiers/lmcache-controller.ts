// The controller of LMCache in the router, to which engines report what they have in host memory and on disk. Imported only if
// it is asked for.
import type { MetricsRegistry } from '../../../core/metrics/index.ts';
import { steadyUnixClock } from '../../../io/clocks/index.ts';
import {
  type Controller,
  declareController,
  openController,
} from '../../../io/lmcache-controller/index.ts';
import { catalogueCost } from './catalogue-cost.ts';
import { ControllerSource } from './controller-source.ts';
import type { NamedEngine } from './engine-hosts.ts';
import type { RouterTiers } from './router-tiers.ts';

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

/** What the rest of the router provides. */
interface ControllerContext {
  readonly tiers: RouterTiers;
  readonly metrics: MetricsRegistry;
  readonly engines: () => Iterable<NamedEngine>;
  readonly nowSeconds: () => number;
}

/**
 * Opens the controller, and adds what it knows to the tiers.
 *
 * @throws {InputError} If a port cannot be listened on.
 */
export async function openLmcacheController(
  options: LmcacheControllerOptions,
  { tiers, metrics, engines, nowSeconds }: ControllerContext,
): Promise<Controller> {
  const { host, pullPort, replyPort, heartbeatPort, workerTimeoutSeconds, checkSeconds } = options;
  const controller = await openController({
    ...{ host, pullPort, replyPort, heartbeatPort },
    ...{ silentSecondsMax: workerTimeoutSeconds, checkMs: checkSeconds * 1000 },
    wallClock: steadyUnixClock,
  });
  declareController(metrics, controller);
  const { registry } = controller;
  const source = new ControllerSource({
    registry,
    engines,
    nowSeconds,
    hashSeed: options.hashSeed,
  });
  tiers.add(source, catalogueCost);
  return controller;
}
