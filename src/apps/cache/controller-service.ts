// Opens LMCache's controller beside the cache server: its sockets, its HTTP API and its metrics.
import type { Server } from 'node:http';
import type { Clock } from '../../core/base/index.ts';
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import { listenOn } from '../../io/listen/index.ts';
import {
  type Controller,
  declareController,
  openController,
} from '../../io/lmcache-controller/index.ts';
import { createControllerServer } from './controller.ts';

/** The controller of LMCache in engines. */
export interface CacheController {
  /**
   * Port of PULL; that of requests is one higher, that of heartbeats two. 0: free ones.
   */
  readonly port: number;
  /** Port of the HTTP API; 0 for any free one. @default none */
  readonly httpPort?: number | undefined;
  /** Without a message for this long, a worker is forgotten. */
  readonly workerTimeoutSeconds: number;
  /** PYTHONHASHSEED of the engines. */
  readonly hashSeed: number;
}

export class ControllerService {
  readonly #metrics: MetricsRegistry;
  #controller: Controller | undefined;
  #server: Server | undefined;

  constructor(metrics: MetricsRegistry) {
    this.#metrics = metrics;
  }

  /**
   * @returns Where engines and clients connect.
   * @throws {InputError} If a port cannot be used.
   */
  async open(options: CacheController, host: string, wallClock: Clock): Promise<string[]> {
    const { port, httpPort, workerTimeoutSeconds, hashSeed } = options;
    const controller = await openController({
      ...{ host, wallClock, silentSecondsMax: workerTimeoutSeconds, pullPort: port },
      replyPort: port && port + 1,
      heartbeatPort: port && port + 2,
    });
    this.#controller = controller;
    declareController(this.#metrics, controller);
    const names = ['controller', 'controller-reply', 'controller-heartbeat'];
    const urls = controller.endpoints.map((endpoint, i) => `${names[i]}=${endpoint}`);
    if (httpPort === undefined) return urls;
    this.#server = createControllerServer(controller, hashSeed);
    const opened = await listenOn(this.#server, host, httpPort, '--controller-http-port');
    return [...urls, `controller-http=http://${host}:${opened}`];
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
    await this.#controller?.close();
  }
}
