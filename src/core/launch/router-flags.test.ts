import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../values/index.ts';
import { type Backend, routerFlags } from './router-flags.ts';

const backends: readonly Backend[] = [
  { name: 'a', url: 'http://a', model: 'm' },
  { name: 'b', url: 'http://b', model: 'n', kvEvents: { events: 1, replay: 2 } },
];

/** The flags for a values file, as one line. */
function flagsOf(text: string): string {
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return routerFlags(values, backends).join(' ');
}

test('the router gets the engines with their models, names and KV events', () => {
  const flags = flagsOf('{}');
  assert.match(
    flags,
    /--service-discovery static --static-backends http:\/\/a,http:\/\/b --static-models m,n --static-names a,b /,
  );
  assert.match(flags, /--kv-event-source http:\/\/b=tcp:\/\/127\.0\.0\.1:1,tcp:\/\/127\.0\.0\.1:2/);
  assert.equal(flags.split('--kv-event-source').length, 2);
});

test('names of engines are unique and have no characters that the router refuses', () => {
  const { values } = resolveValues({ files: [{ name: 'f', text: '{}' }] });
  const backend = (name: string) => ({ name, url: `http://${name.length}`, model: 'm' });
  const flags = routerFlags(
    values,
    ['my model, v2', 'my-model-v2', 'my model v2', 'a-1'].map(backend),
  );
  const names = flags[flags.indexOf('--static-names') + 1];
  assert.equal(names, 'my-model-v2,my-model-v2-2,my-model-v2-3,a-1');
});

test('a router of this machine stops without a drain delay unless the values set one', () => {
  assert.match(flagsOf('{}'), /--drain-delay 0 --shutdown-timeout 8/);
  const flags = flagsOf('routerSpec: { drainDelay: 3 }');
  assert.match(flags, /--drain-delay 3 --shutdown-timeout 11/);
});

test('the gate on the page has the limit of the values, if they set one', () => {
  assert.doesNotMatch(flagsOf('{}'), /--gate-max/);
  const flags = flagsOf('spillway: { thresholds: { hbmUtilization: 0.85 } }');
  assert.match(flags, /--gate-max 0\.85/);
});

test('streams move unless the values say otherwise', () => {
  assert.doesNotMatch(flagsOf('{}'), /--no-migration/);
  assert.match(flagsOf('routerSpec: { migration: false }'), /--no-migration/);
});

test('settings that the values omit are left to the router', () => {
  const flags = flagsOf('{}');
  for (const flag of [
    '--session-key',
    '--root-path',
    '--router-peers',
    '--tokenizer',
    '--prefix-min',
  ]) {
    assert.ok(!flags.includes(flag), flag);
  }
  assert.ok(!flags.includes('--no-dashboard'));
});

test('settings in the values become flags, extra arguments last', () => {
  const flags = flagsOf(`routerSpec:
  host: 0.0.0.0
  containerPort: 81
  routingLogic: session
  sessionKey: x-user
  requestStatsWindow: 30
  rootPath: /base
  routerPeers: [http://r1, http://r2]
  tokenizer: [hub, m=/models/m]
  engineTokenizeTimeout: 0.05
  pickHeader: false
  cacheSaltFrom: header:x-team
  extraArgs: [--port, "82"]
spillway: { dashboard: false }
`);
  assert.match(flags, /^--host 0\.0\.0\.0 --port 81 /);
  assert.match(
    flags,
    /--routing-logic session --engine-stats-interval 1 --request-stats-window 30 /,
  );
  assert.match(flags, / --session-key x-user /);
  assert.match(flags, / --root-path \/base /);
  assert.match(
    flags,
    / --no-pick-header --cache-salt-from header:x-team --router-peers http:\/\/r1,http:\/\/r2 --no-dashboard .* --port 82$/,
  );
  assert.match(flags, / --tokenizer hub --tokenizer m=\/models\/m --engine-tokenize-timeout 0.05 /);
});

test('flags that move what "up" reads from the router are refused', () => {
  for (const [argument, instead] of [
    ['--tls-cert', 'Set routerSpec.tls instead'],
    ['--ssl-certfile=x', 'Set routerSpec.tls instead'],
    ['--admin-port', 'Start "spillway router" with it instead'],
  ]) {
    assert.throws(
      () => flagsOf(`routerSpec: { extraArgs: ["${argument}", "9"] }`),
      new RegExp(`does not work under "spillway up".*${instead}`),
    );
  }
});

test('arguments that find engines in a cluster are left out: the engines are listed', () => {
  assert.doesNotMatch(flagsOf('routerSpec: { extraArgs: [--k8s-namespace, x] }'), /k8s/);
});

test('the keys of TLS are flags of the router', () => {
  assert.doesNotMatch(flagsOf(''), /tls/);
  assert.match(
    flagsOf('routerSpec: { tls: { cert: c.pem, key: k.pem, clientCa: a.pem } }'),
    / --tls-cert c\.pem --tls-key k\.pem --tls-client-ca a\.pem /,
  );
  assert.match(
    flagsOf('routerSpec: { engineTls: { ca: a, cert: c, key: k, serverName: engines.example } }'),
    / --engine-tls-ca a --engine-tls-cert c --engine-tls-key k --engine-tls-server-name engines\.example /,
  );
});

test('parameters of policies are passed on where they differ from their defaults', () => {
  assert.match(
    flagsOf('routerSpec: { prefixMinMatchLength: 64 }'),
    / --prefix-min-match-length 64/,
  );
});

test('a router with LMCache’s controller gets its ports, and the rate of the store', () => {
  const text = 'cacheserverSpec: {linkGbps: 16}';
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  const flags = routerFlags(values, [], { controller: { pull: 1, reply: 2, heartbeat: 3 } });
  const at = flags.indexOf('--lmcache-controller-port');
  assert.deepEqual(flags.slice(at, at + 8), [
    ...['--lmcache-controller-port', '1', '--lmcache-controller-reply-port', '2'],
    ...['--lmcache-controller-heartbeat-port', '3', '--kv-rate', 'store:2000000000'],
  ]);
  const peers = 'lmcacheConfig: {enabled: true, enableController: true, enableP2P: true}';
  const entry = `servingEngineSpec: {modelSpec: [{name: m, kvTiers: {peerGBps: 25}, ${peers}}]}`;
  const shared = resolveValues({ files: [{ name: 'f', text: entry }] }).values;
  const rates = routerFlags(shared, [], { controller: { pull: 1, reply: 2, heartbeat: 3 } });
  assert.ok(rates.includes('peer:25000000000'));
});
