import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullFlagName, upstreamFlagNote, upstreamRouterFlags } from './index.ts';

/** The flags of the parsers of all releases, 0.0.2 to 0.1.13; * marks those without a value. */
const released =
  `backend-health-check-timeout-seconds batch-processor callbacks decode-model-labels dynamic-config-json
  dynamic-config-yaml enable-batch-api* engine-stats-interval external-providers-config feature-gates file-storage-class
  file-storage-path host k8s-label-selector k8s-namespace k8s-port k8s-service-discovery-type k8s-watcher-timeout-seconds
  kv-aware-threshold lmcache-controller-heartbeat-port lmcache-controller-port lmcache-controller-reply-port
  lmcache-health-check-interval lmcache-worker-timeout log-format log-level log-stats* log-stats-interval
  max-instance-failover-reroute-attempts otel-endpoint otel-secure* otel-service-name port prefill-model-labels
  prefix-min-match-length request-rewriter request-stats-window root-path routing-logic semantic-cache-dir
  semantic-cache-model semantic-cache-threshold sentry-dsn sentry-profile-session-sample-rate sentry-traces-sample-rate
  service-discovery session-key static-aliases static-backend-health-check-interval
  static-backend-health-check-timeout-seconds static-backend-health-checks* static-backends static-model-labels
  static-model-types static-models version* help*`.split(/\s+/);

test('each flag of each released router is known, once, with or without a value', () => {
  const names = upstreamRouterFlags.map(({ name, hasValue }) => `${name}${hasValue ? '' : '*'}`);
  const documented = ['pii-analyzer', 'pii-types'];
  assert.deepEqual(names.sort(), [...released, ...documented].sort());
});

test('a flag has an effect, or one sentence that says why it has none', () => {
  for (const { name, state, why } of upstreamRouterFlags) {
    const note = upstreamFlagNote(name, 'x=true');
    assert.equal(note === undefined, state === 'here', name);
    assert.equal(why === '', state === 'here', name);
    if (note === undefined) continue;
    assert.match(note.text, new RegExp(`^--${name} .*has no effect: [^\\n]+\\.$`));
    assert.doesNotMatch(note.text, /\.\./);
  }
});

test('what a router lacks is a warning, and what changes nothing is not', () => {
  const levels = (...flags: readonly (readonly [string, string?])[]) =>
    flags.map(([name, value]) => upstreamFlagNote(name, value)?.level);
  assert.deepEqual(
    levels(
      ['enable-batch-api'],
      ['callbacks', 'a.b'],
      ['sentry-dsn', 'x'],
      ['request-rewriter', 'x'],
    ),
    ['warning', 'warning', 'warning', 'warning'],
  );
  assert.deepEqual(
    levels(
      ['static-model-types', 'chat'],
      ['request-rewriter', 'noop'],
      ['batch-processor', 'local'],
    ),
    ['info', 'info', 'info'],
  );
  assert.deepEqual(levels(['port', '1'], ['no-such-flag']), [undefined, undefined]);
});

test('feature gates are named with what is missing; those that are off are not', () => {
  const gates = (value: string) => upstreamFlagNote('feature-gates', value);
  assert.deepEqual(gates('SemanticCache=true, PIIDetection=false'), {
    level: 'warning',
    text: '--feature-gates SemanticCache has no effect: the semantic cache is not here: each request reaches an engine.',
  });
  assert.match(gates('PIIDetection=true')?.text ?? '', /reach engines UNCHECKED/);
  assert.equal(gates('Other')?.level, 'warning');
  assert.equal(gates('SemanticCache=false')?.level, 'info');
  assert.equal(gates('')?.level, 'info');
});

test('an abbreviation is a flag if only one begins so', () => {
  assert.equal(fullFlagName('static-al'), 'static-aliases');
  assert.equal(fullFlagName('log-stats'), 'log-stats', 'a whole name, though another begins so');
  assert.equal(fullFlagName('static-back'), undefined);
  assert.equal(fullFlagName(''), undefined);
  assert.equal(fullFlagName('nothing'), undefined);
});
