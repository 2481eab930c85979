// Settings of production-stack's router that Spillway does not support yet, each with the reason.
// They are flags upstream, and some are also keys of the dynamic configuration.

const semanticCache = 'the semantic cache is not supported';
const files = 'files and batches are not supported yet';
const sentry =
  'Sentry is not supported, because its events would carry parts of requests to a third party; errors are in the log, on /metrics and, with --otel-endpoint, in traces';

/** Flag without its dashes, to the reason why it is refused. */
export const refusedRouterFlags: Readonly<Record<string, string>> = {
  'static-model-types': 'engines are checked on /health whatever their type',
  callbacks: 'callbacks are Python objects, and this router is not written in Python',
  'request-rewriter': 'requests are not rewritten; upstream also supports only "noop"',
  'feature-gates': 'feature gates are not supported',
  'external-providers-config': 'external providers are not supported yet',
  'semantic-cache-model': semanticCache,
  'semantic-cache-dir': semanticCache,
  'semantic-cache-threshold': semanticCache,
  'enable-batch-api': files,
  'file-storage-class': files,
  'file-storage-path': files,
  'batch-processor': files,
  'log-stats': 'statistics are on /metrics and /debug/router',
  'log-stats-interval': 'statistics are on /metrics and /debug/router',
  'sentry-dsn': sentry,
  'sentry-traces-sample-rate': sentry,
  'sentry-profile-session-sample-rate': sentry,
  'engine-tls-insecure':
    'engines are always checked; name their authority, or a self-signed certificate itself, with --engine-tls-ca',
};
