// The HTTP server of an embedded engine.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../core/api/index.ts';
import { InputError, seededRandom } from '../../core/base/index.ts';
import type { KvEventsConfig } from '../../core/vllm-config/index.ts';
import type { FaultOptions } from './faults/fault-options.ts';
import { Faults } from './faults/faults.ts';
import { openEngineTls } from './http/engine-tls.ts';
import { createHttpServer, listen, type Server } from './http/server.ts';
import type { EngineServerOptions } from './options.ts';
import { routes } from './routes/index.ts';
import { EmbeddedEngine } from './runtime/embedded-engine.ts';
import { KvEvents } from './runtime/kv-events.ts';
import { nativeTiers } from './tiers/tier-options.ts';

export interface EngineServer {
  /** URL without a path: `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Where KV events are published, with the actual ports; undefined if they are not published. */
  readonly kvEvents: KvEventsConfig | undefined;
  /** Stops at once: streams are cut, and the port is free when it resolves. */
  close(): Promise<void>;
  /**
   * Stops as vLLM does on SIGTERM: running requests get `shutdownTimeoutSeconds` to finish while
   * new ones get 500; the remaining ones then end with an error, and the port closes.
   */
  drain(): Promise<void>;
}

/**
 * Starts an engine.
 *
 * @throws {InputError} If the port is in use or the settings cannot work.
 */
export async function createEngineServer(options: EngineServerOptions): Promise<EngineServer> {
  const host = options.host ?? '127.0.0.1';
  const slowStart = options.faults?.slowStart;
  if (slowStart) await sleep(slowStart.seconds * 1000);
  const tls = options.tls && (await openEngineTls(options.tls, options.log ?? (() => {})));
  const random = seededRandom(options.faultSeed ?? options.seed ?? 0);
  const kvEvents = await openKvEvents(options, () => faults.options);
  const engine = new EmbeddedEngine(options, kvEvents);
  let reopening: NodeJS.Timeout | undefined;
  let port = options.port ?? 8000;
  const close = async () => {
    clearTimeout(reopening);
    tls?.stop();
    engine.close();
    await Promise.all([stop(server), kvEvents?.close()]);
  };
  const faults = new Faults(options.faults ?? {}, random, {
    refuse: (seconds) => {
      server.close();
      server.closeAllConnections();
      reopening = setTimeout(() => server.listen(port, host), seconds * 1000);
    },
    crash: () => {
      void close();
      options.onCrash?.();
    },
    setSpeed: (speed) => engine.setSpeed(speed),
  });
  const server = createHttpServer(routes(engine, faults, kvEvents), {
    tls,
    apiKey: options.apiKey,
    echoesRequestIds: options.enableRequestIdHeaders,
    cors: options.cors,
    onFinished: engine.metrics.onHttpResponse,
  });
  const abandon = async (error: unknown): Promise<never> => {
    tls?.stop();
    await kvEvents?.close();
    throw error;
  };
  await loadModules(engine).catch(abandon);
  const url = await listen(server, host, port).catch(abandon);
  port = Number(new URL(url).port);
  await engine.listening(url).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    url,
    kvEvents: kvEvents?.config,
    close,
    drain: async () => {
      const finished = engine.drain();
      const timeout = new AbortController();
      const deadline = sleep((options.shutdownTimeoutSeconds ?? 0) * 1000, undefined, {
        signal: timeout.signal,
      }).catch(() => {});
      await Promise.race([finished, deadline]);
      timeout.abort();
      engine.failAll();
      await flush(server);
      tls?.stop();
      engine.close();
      await kvEvents?.close();
    },
  };
}

/** @throws {InputError} If an adapter of `--lora-modules` cannot be loaded. */
async function loadModules({ adapters, options }: EmbeddedEngine): Promise<void> {
  for (const { name, path, baseModelName } of options.lora?.modules ?? []) {
    await adapters.load(name, path, { baseModelName }).catch((cause: unknown) => {
      if (!(cause instanceof ApiError)) throw cause;
      throw new InputError(`--lora-modules ${name}=${path}: ${cause.message}`, { cause });
    });
  }
}

/** @param faults Returns the active faults. */
function openKvEvents(
  options: EngineServerOptions,
  faults: () => FaultOptions,
): Promise<KvEvents> | undefined {
  const config = options.kvEvents;
  if (!config?.enable_kv_cache_events || config.publisher === 'null') return undefined;
  return KvEvents.open(config, {
    algorithm: options.prefixCachingHashAlgorithm ?? 'sha256',
    hashSeed: options.hashSeed,
    blockSize: options.config.blockSize,
    random: seededRandom(options.faultSeed ?? options.seed ?? 0),
    faults,
    rawHashes: options.rawKvEventHashes,
    selfDescribing: nativeTiers(options.tier).some((tier) => tier.selfDescribingKvEvents),
  });
}

/** Closes all connections. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Leaves complete responses a moment to be sent, then closes all connections. */
async function flush(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(timer);
}
