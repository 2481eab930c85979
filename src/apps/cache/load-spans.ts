// Spans of the cache server: one for each time that values come from disk or S3. What is answered from memory takes
// microseconds and has metrics only. LMCache and Redis clients send no trace, so each span begins a trace of its own.
import type { ClientStore } from '../../core/cache/index.ts';
import type { Tracing } from '../../io/otlp/index.ts';
import type { CacheProtocol } from './cache-metrics.ts';
import type { LoadValues } from './loading.ts';

/** @param tracing Undefined if the server does not trace. */
export function tracedLoader(
  load: LoadValues,
  store: Pick<ClientStore, 'isBelow'>,
  protocol: CacheProtocol,
  tracing: Tracing | undefined,
): LoadValues {
  if (tracing === undefined) return load;
  return async (keys) => {
    const below = keys.filter((key) => store.isBelow(key));
    const startMs = tracing.unixMs();
    await load(keys);
    const endMs = tracing.unixMs();
    const missing = below.filter((key) => store.isBelow(key)).length;
    const traceId = tracing.ids.traceId();
    const keptFor = tracing.sampler.tail(tracing.sampler.head(traceId, undefined), {
      isError: missing > 0,
      seconds: (endMs - startMs) / 1000,
      ...{ inputTokens: 0, outputTokens: 0 },
    });
    if (keptFor === undefined) return;
    const span = {
      ...({ name: 'cache.load', kind: 'server', traceId, spanId: tracing.ids.spanId() } as const),
      ...{ parentSpanId: undefined, isParentRemote: false, traceState: undefined },
      ...{ startMs, endMs, events: [] },
      attributes: {
        'network.protocol.name': protocol,
        'spillway.cache.values': below.length,
        'spillway.cache.values_missing': missing,
        'spillway.kept_for': keptFor,
      },
      error: missing > 0 ? `${missing} of ${below.length} values did not come in time` : undefined,
    };
    tracing.exporter.add([span], keptFor);
  };
}
