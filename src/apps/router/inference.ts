// What serves inference requests: their tokens, their wait for an engine, a second engine for late ones, and
// comments on silent streams.
import type { AttemptWatch } from '../../core/attempts/index.ts';
import type { Clock } from '../../core/base/index.ts';
import type { MetricsRegistry } from '../../core/metrics/index.ts';
import type { RoutingCore } from '../../core/routing/index.ts';
import type { Ticker } from '../../io/http/index.ts';
import type { Tracing } from '../../io/otlp/index.ts';
import type { ClientMemory } from './client-memory.ts';
import type { Engine } from './fleet/engine.ts';
import type { RouterMetrics } from './metrics/router-metrics.ts';
import type { RouterOptions } from './options.ts';
import { proxyContext } from './requests/create-proxy-context.ts';
import { InferenceRequests } from './requests/inference-requests.ts';
import { RouterAdmission } from './requests/router-admission.ts';
import { RouterHedging } from './requests/router-hedging.ts';
import { SseKeepAlive } from './requests/sse-keep-alive.ts';
import type { ResponseEngines } from './responses/response-engines.ts';
import { wantsKey } from './settings/keys.ts';
import { EngineTokenize } from './tokens/engine-tokenize.ts';
import { declareTokenizerGauge, ModelTokenizers } from './tokens/model-tokenizers.ts';
import { PromptTokens } from './tokens/prompt-tokens.ts';
import { textTokensFrom } from './tokens/text-tokens-of.ts';

export interface Inference {
  readonly requests: InferenceRequests;
  /** Undefined if requests do not wait in the router. */
  readonly admission: RouterAdmission | undefined;
  /** From now on, no request is sent to a second engine. */
  retire(): void;
  /** Starts nothing any more; requests in flight go on. */
  stop(): void;
  /** Closes what requests in flight needed. */
  close(): void;
}

/** The parts of a router that inference needs. */
export interface InferenceParts {
  readonly options: RouterOptions;
  readonly core: RoutingCore;
  readonly metrics: RouterMetrics;
  readonly registry: MetricsRegistry;
  /** By URL. */
  readonly engines: ReadonlyMap<string, Engine>;
  readonly watch: AttemptWatch;
  readonly clock: Clock;
  readonly ticker: Ticker;
  /** `Authorization` for requests to engines. */
  readonly authorization: string | undefined;
  readonly sessionKey: string | undefined;
  readonly responseEngines: ResponseEngines;
  /** For streams that may move. */
  readonly memory: ClientMemory['streams'];
  /** Undefined if the router does not trace. */
  readonly tracing: Tracing | undefined;
}

export function createInference(parts: InferenceParts): Inference {
  const { options, core, metrics, registry, engines, watch, clock, ticker } = parts;
  const { admission: asked } = options;
  const queue = asked?.queueTimeout || asked?.holdTimeout ? asked : undefined;
  const hasSharedKey = wantsKey(options);
  const admission =
    queue && new RouterAdmission({ settings: queue, core, clock, ticker, registry, hasSharedKey });
  const hedges = options.hedging?.budget ? options.hedging : undefined;
  const hedging =
    hedges && new RouterHedging({ settings: hedges, core, clock, admission, metrics });
  const { sseKeepAliveSeconds = 0 } = options;
  const keepAlive =
    sseKeepAliveSeconds > 0 ? new SseKeepAlive(ticker, sseKeepAliveSeconds) : undefined;
  const tokenizers = new ModelTokenizers({
    ...{ core, engines, ticker, authorization: parts.authorization, log: options.log },
    sources: options.tokenizers ?? {},
    tokenizeTimeoutMs: options.tokenizeTimeoutMs,
  });
  const context = proxyContext({
    ...{ core, metrics, engines, options, watch, clock, admission, hedging, keepAlive },
    ...{ tracing: parts.tracing, memory: parts.memory },
    textTokens: textTokensFrom(core, tokenizers),
  });
  declareTokenizerGauge(registry, tokenizers);
  const { engineTokenizeTimeoutMs: timeoutMs = 0 } = options;
  const tokens = new PromptTokens({
    ...{ tokenizers, metrics },
    engineTokenize: timeoutMs > 0 ? new EngineTokenize(core, engines, { timeoutMs }) : undefined,
  });
  const requests = new InferenceRequests(context, {
    ...{ engines, tokens, sessionKey: parts.sessionKey },
    responseEngines: parts.responseEngines,
    cacheSaltFrom: options.cacheSaltFrom,
  });
  return {
    requests,
    admission,
    retire: () => hedging?.stop(),
    stop() {
      hedging?.stop();
      tokenizers.stop();
    },
    close() {
      requests.close();
      tokenizers.close();
    },
  };
}
