// Every flag that a released production-stack router has had (vllm_router/parsers/parser.py, 0.0.2 to 0.1.13, and its
// documentation), with what becomes of it here. None of them keeps a router from starting.

/** One flag of upstream's router. */
export interface UpstreamFlag {
  /** Without its dashes. */
  readonly name: string;
  /** Whether it takes a value. */
  readonly hasValue: boolean;
  /**
   * - `here`: the router has the flag.
   * - `needless`: the flag changes nothing, and nothing is lost by that.
   * - `missing`: the router does not have what the flag asks for.
   */
  readonly state: 'here' | 'needless' | 'missing';
  /** Why the flag has no effect: a part of a sentence; empty if it has one. */
  readonly why: string;
}

export interface UpstreamFlagNote {
  readonly level: 'info' | 'warning';
  readonly text: string;
}

const values = (names: string): UpstreamFlag[] => flagsOf(names, true, 'here', '');
const needless = (names: string, why: string, hasValue = true): UpstreamFlag[] =>
  flagsOf(names, hasValue, 'needless', why);
const missing = (names: string, why: string, hasValue = true): UpstreamFlag[] =>
  flagsOf(names, hasValue, 'missing', why);

function flagsOf(
  names: string,
  hasValue: boolean,
  state: UpstreamFlag['state'],
  why: string,
): UpstreamFlag[] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => ({ name, hasValue, state, why }));
}

const noSentry =
  'Sentry is not supported, because its events would carry parts of requests to a third party; errors are in the log, on /metrics and, with --otel-endpoint, in traces';
const noPersonalData =
  'this router does not look for personal data in requests: they reach engines UNCHECKED (upstream never checks them either, whatever its documentation says)';
const noGate = 'it has no effect without --feature-gates SemanticCache=true, which is not here';

export const upstreamRouterFlags: readonly UpstreamFlag[] = [
  ...values(`host port root-path log-level log-format
    service-discovery static-backends static-models static-aliases static-model-labels
    static-backend-health-check-interval static-backend-health-check-timeout-seconds
    k8s-service-discovery-type k8s-port k8s-namespace k8s-label-selector k8s-watcher-timeout-seconds
    backend-health-check-timeout-seconds dynamic-config-yaml dynamic-config-json
    routing-logic session-key kv-aware-threshold prefix-min-match-length
    max-instance-failover-reroute-attempts prefill-model-labels decode-model-labels
    lmcache-controller-port lmcache-controller-reply-port lmcache-controller-heartbeat-port
    lmcache-health-check-interval lmcache-worker-timeout
    engine-stats-interval request-stats-window log-stats-interval otel-endpoint otel-service-name`),
  ...flagsOf('version help log-stats otel-secure', false, 'here', ''),
  ...needless(
    'static-backend-health-checks',
    'engines are always checked, by GET /health; upstream would send them test prompts',
    false,
  ),
  ...needless('static-model-types', 'engines are checked by GET /health, whatever their type'),
  ...needless(
    'request-rewriter',
    'requests are not rewritten, as with upstream’s only value, noop',
  ),
  ...needless('semantic-cache-model semantic-cache-dir semantic-cache-threshold', noGate),
  ...needless(
    'file-storage-class file-storage-path batch-processor',
    'it has no effect without --enable-batch-api, which is not here',
  ),
  ...needless('sentry-traces-sample-rate sentry-profile-session-sample-rate', noSentry),
  ...missing('sentry-dsn', noSentry),
  ...missing(
    'enable-batch-api',
    'files and batches are not here: /v1/files and /v1/batches return 404',
    false,
  ),
  ...missing(
    'callbacks',
    'callbacks are Python objects, and this router is not written in Python: they are NOT called, neither before nor after a request',
  ),
  ...missing(
    'external-providers-config',
    'external providers are not here: requests for their models get 404',
  ),
  ...missing('feature-gates', 'feature gates are not here'),
  // Documented, and in no released parser.
  ...missing('pii-analyzer pii-types', noPersonalData),
];

const flagOfName = new Map(upstreamRouterFlags.map((flag) => [flag.name, flag]));

const missingGates: Readonly<Record<string, string>> = {
  SemanticCache: 'the semantic cache is not here: each request reaches an engine',
  PIIDetection: noPersonalData,
};

/**
 * Returns what a user is told about a flag without effect, in one line.
 *
 * @param name Without its dashes.
 * @returns Undefined for a flag that has its effect, or that upstream does not have.
 * @example upstreamFlagNote('request-rewriter', 'noop')?.level; // 'info'
 */
export function upstreamFlagNote(name: string, value?: string): UpstreamFlagNote | undefined {
  const flag = flagOfName.get(name);
  if (flag === undefined || flag.state === 'here') return undefined;
  if (name === 'feature-gates') return gatesNote(value ?? '');
  const isOtherRewriter = name === 'request-rewriter' && value !== undefined && value !== 'noop';
  if (isOtherRewriter) {
    const text = `--request-rewriter ${value} has no effect: requests are not rewritten.`;
    return { level: 'warning', text };
  }
  const level = flag.state === 'missing' ? 'warning' : 'info';
  return { level, text: `--${name} has no effect: ${flag.why}.` };
}

/** @param value As upstream takes it: `NAME=true,…`. */
function gatesNote(value: string): UpstreamFlagNote {
  const asked = value
    .split(',')
    .map((gate) => gate.trim().split('='))
    .filter(([name = '', state = '']) => name !== '' && !/^(false|0|no|off)$/i.test(state.trim()))
    .map(([name = '']) => name.trim());
  if (asked.length === 0) {
    return { level: 'info', text: '--feature-gates has no effect: it turns nothing on.' };
  }
  const reasons = asked.map(
    (name) => missingGates[name] ?? `${name} is not a feature of this router`,
  );
  const text = `--feature-gates ${asked.join(',')} has no effect: ${reasons.join('; ')}.`;
  return { level: 'warning', text };
}

/**
 * Returns the flag of upstream's that an abbreviation stands for, as Python's argparse finds it.
 *
 * @param name Without its dashes.
 * @returns Undefined if no flag of upstream's begins so, or several do.
 * @example fullFlagName('static-back'); // undefined: static-backends, static-backend-health-checks, …
 * fullFlagName('static-backends'); // 'static-backends'
 * fullFlagName('static-al'); // 'static-aliases'
 */
export function fullFlagName(name: string): string | undefined {
  if (flagOfName.has(name)) return name;
  if (name === '') return undefined;
  const found = upstreamRouterFlags.filter((flag) => flag.name.startsWith(name));
  return found.length === 1 ? found[0]?.name : undefined;
}
