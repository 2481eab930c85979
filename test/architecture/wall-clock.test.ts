// The wall clock may jump. It is read only where a time comes from another program, or goes to one: never for a duration, a
// deadline or a time of expiry.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

/** Files that read the wall clock, and what for. */
const readers: Readonly<Record<string, string>> = {
  'src/apps/cache/tiers.ts': 'a seed',
  'src/apps/engine/generation/response-writer.ts': '`created` of responses',
  'src/apps/engine/metrics/engine-metrics.ts': '`_created` of metrics',
  'src/apps/engine/metrics/families.ts': 'the start of the process',
  'src/apps/engine/routes/models.ts': '`created` of models',
  'src/apps/engine/runtime/kv-events.ts': 'times of events, for other machines',
  'src/apps/operator/api-cluster.ts': 'times of Kubernetes’ objects',
  'src/apps/operator/leader-election.ts':
    'times of Kubernetes’ leases, which other replicas only compare for equality',
  'src/apps/operator/operator.ts': 'times of Kubernetes’ conditions',
  'src/apps/router/fleet/engine.ts': '`created` of models',
  'src/apps/router/requests/answer.ts': 'the header Date',
  'src/apps/router/settings/router-policy.ts': 'a seed',
  'src/cli/bench/run-capacity.ts': 'the date of a measurement',
  'src/cli/bench/run-dir.ts': 'the date of a measurement',
  'src/cli/cluster/deploy-bench.ts': 'the date of a measurement',
  'src/cli/commands/bench-serve.ts': 'the date of a measurement',
  'src/cli/commands/bench-soak.ts': 'the date of a measurement',
  'src/cli/commands/cache-front.ts': 'times of expiry that clients give as Unix times',
  'src/cli/commands/cache.ts': 'times of expiry that clients give as Unix times',
  'src/cli/commands/compare.ts': 'the date of a measurement',
  'src/io/kv-events/source.ts': 'the delay of events from another machine',
  'src/io/log/logger.ts': 'times of log lines',
  'src/io/otlp/unix-clock.ts': 'times of spans, for other machines',
  'src/io/process-metrics/process-metrics.ts': 'the start of the process',
  'src/io/tls/tls-identity.ts': 'whether a certificate has expired',
  'src/io/tokenizers/model-files.ts': 'ages of files',
};

test('the wall clock is read only where it is meant', () => {
  const found = globSync('src/**/*.ts', { cwd: root }).filter((file) => {
    if (/\.(test|suite)\.ts$/.test(file)) return false;
    const code = readFileSync(join(root, file), 'utf8').replace(/^\s*(\/\/|\/\*|\*).*$/gm, '');
    return /\bDate\.now\b|\bnew Date\(\)/.test(code);
  });
  assert.deepEqual(
    found.sort(),
    Object.keys(readers).sort(),
    'for a duration use performance.now(); for Unix times of this process steadyUnixClock; for others name the file above',
  );
});
