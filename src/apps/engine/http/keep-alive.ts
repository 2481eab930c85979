// Comments in streams that are silent, so that proxies do not take them for dead.
import type { Engine } from '../engine.ts';
import type { Exchange } from './exchange.ts';

/** As `--sse-keep-alive-interval` says; vLLM has it on chat and completions alone. */
export function keepAlive(engine: Engine, exchange: Exchange): void {
  const seconds = engine.options.sseKeepAliveSeconds ?? 0;
  if (seconds > 0) exchange.keepAlive(seconds * 1000);
}
