import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDynamicConfig } from './dynamic-config-schema.ts';
import type { LiveSettings } from './live-settings.ts';

const base: LiveSettings = {
  engines: [{ url: 'http://base', models: ['m'], name: 'base' }],
  aliases: new Map([['old', 'm']]),
  policy: 'roundrobin',
  sessionKey: 'x-base',
  healthIntervalMs: 10_000,
  healthTimeoutMs: 3000,
};

const parse = (text: string, discovery = 'static') =>
  parseDynamicConfig(text, 'f.yaml', base, discovery);
const listOf = ({ settings }: ReturnType<typeof parse>) =>
  settings.engines?.map(({ url, models }) => [url, ...models]);

test('words are texts and booleans as in PyYAML, with which upstream reads the file', () => {
  assert.equal(parse('session_key: n').settings.sessionKey, 'n');
  assert.equal(parse('session_key: Y').settings.sessionKey, 'Y');
  assert.throws(() => parse('session_key: no'), /session_key/);
});

test('keys that the file omits, or sets to null, have the values of the flags', () => {
  assert.deepEqual(parse('{}').settings, base);
  const nulls = [
    ...['service_discovery', 'routing_logic', 'static_backends', 'static_models', 'callbacks'],
    ...['static_aliases', 'session_key', 'static_backend_health_check_interval', 'k8s_port'],
    'static_backend_health_check_timeout_seconds',
  ];
  assert.deepEqual(parse(nulls.map((key) => `${key}: null`).join('\n')).settings, base);
  assert.deepEqual(parse('session_key: ""').settings.sessionKey, 'x-base');
});

test('settings of the file replace those of the flags, times in seconds', () => {
  const { settings } = parse(`routing_logic: session
session_key: x-user
static_backend_health_check_interval: 7
static_backend_health_check_timeout_seconds: 2
`);
  assert.deepEqual(settings, {
    ...base,
    ...{ policy: 'session', sessionKey: 'x-user', healthIntervalMs: 7000, healthTimeoutMs: 2000 },
  });
});

test('health checks take from 1 s to 24 days', () => {
  for (const key of [
    'static_backend_health_check_interval',
    'static_backend_health_check_timeout_seconds',
  ]) {
    for (const allowed of [1, 2_000_000]) parse(`${key}: ${allowed}`);
    for (const refused of [0, 2_000_001, 1.5]) {
      assert.throws(() => parse(`${key}: ${refused}`), { name: 'InputError' });
    }
  }
});

test('engines are lists of URLs and models, or of URLs alone', () => {
  assert.deepEqual(listOf(parse('static_backends: http://a,http://b\nstatic_models: m,n')), [
    ['http://a', 'm'],
    ['http://b', 'n'],
  ]);
  assert.deepEqual(listOf(parse('static_backends: "http://a, http://b"')), [
    ['http://a'],
    ['http://b'],
  ]);
});

test('engines may be grouped by model, as in upstream’s YAML files', () => {
  const nested = parse(`static_models:
  m: {static_backends: [http://a, http://b], static_model_type: chat}
  n: {static_backends: [http://c]}
  idle: {}
`);
  assert.deepEqual(listOf(nested), [
    ['http://a', 'm'],
    ['http://b', 'm'],
    ['http://c', 'n'],
  ]);
});

test('aliases are a list of pairs or a map', () => {
  const expected = new Map([
    ['chat', 'm'],
    ['code', 'coder'],
  ]);
  assert.deepEqual(parse('static_aliases: "chat:m,code:coder"').settings.aliases, expected);
  assert.deepEqual(parse('static_aliases: {chat: m, code: coder}').settings.aliases, expected);
});

test('callbacks have no effect, which is a warning and no error', () => {
  const [note, ...others] = parse('callbacks: module.instance').notes;
  assert.deepEqual(others, []);
  assert.equal(note?.level, 'warning');
  assert.match(note?.text ?? '', /^callbacks has no effect: callbacks are Python objects/);
  assert.deepEqual(parse('callbacks: null').notes, []);
});

test('labels of the listed engines have their effect', () => {
  const { settings, view, notes } = parse(
    'static_backends: "http://a,http://b"\nstatic_models: m,m\nstatic_model_labels: p,d',
  );
  assert.deepEqual(
    settings.engines?.map(({ label }) => label),
    ['p', 'd'],
  );
  assert.equal(view['static_model_labels'], 'p,d');
  assert.deepEqual(notes, []);
});

test('keys of upstream that cannot change while the router runs are one warning', () => {
  const { settings, notes } = parse(
    'routing_logic: session\nk8s_port: 8000\nk8s_namespace: default\nprefill_model_labels: p',
  );
  assert.equal(settings.policy, 'session');
  assert.deepEqual(
    notes.map(({ level, text }) => [level, text]),
    [
      [
        'warning',
        'prefill_model_labels, k8s_port, k8s_namespace in the dynamic configuration have no effect, because they cannot change while the router runs: start it with --prefill-model-labels, --k8s-port, --k8s-namespace.',
      ],
    ],
  );
  assert.match(parse('k8s_port: 1').notes[0]?.text ?? '', /has no effect, because it cannot/);
});

test('what a file cannot set is refused with its line and key', () => {
  const refused = (text: string, message: RegExp, discovery?: string) =>
    assert.throws(() => parse(text, discovery), { name: 'InputError', message });
  refused(
    'static_backends: http://a\nstatic_model_labels: p,d',
    /f\.yaml:1:1: .*static_model_labels has 2 entries, static_backends 1/,
  );
  refused('static_model_labels: p', /static_model_labels labels the engines of static_backends/);
  refused(
    'service_discovery: k8s',
    /service_discovery "k8s" does not work here: this router was started with "static"/,
  );
  refused(
    'service_discovery: dns',
    /f\.yaml:1:1: service_discovery "dns" does not work here: this router was started with "static"; omit the key/,
  );
  refused(
    'static_backends: http://a',
    /static_backends: this router finds its engines by "dns"; omit the key/,
    'dns',
  );
  refused(
    'static_models: {m: {static_backends: [http://a]}}',
    /f\.yaml:1:1: static_models: this router finds its engines by "dns"/,
    'dns',
  );
  refused(
    'static_backends: http://a\nstatic_models: {m: {}}',
    /f\.yaml:2:1: static_models: static_models lists the engines already; omit static_backends/,
  );
  refused('static_models: m', /f\.yaml:.*: static_models requires static_backends/);
  refused(
    'static_backends: http://a\nstatic_models: m,n',
    /f\.yaml:1:1: static_backends: static_models has 2 entries, static_backends 1: .* from the engines\.$/,
  );
  refused(
    'static_aliases: chat',
    /static_aliases: static_aliases accepts alias:model, not "chat"\.$/,
  );
  refused('no_such_key: 1', /no_such_key is not a known key/);
});

test('a file for a router with another discovery may leave the engines alone', () => {
  const { settings, view } = parse('service_discovery: dns\nrouting_logic: session', 'dns');
  assert.deepEqual([settings.policy, settings.engines], ['session', base.engines]);
  assert.equal(view['service_discovery'], 'dns');
});

test('the view of /health has all keys of upstream in order, lists as texts', () => {
  const { view } = parse(`static_backends: http://a,http://b
static_models: m,n
static_model_types: chat,chat
session_key: x-user
`);
  assert.deepEqual(Object.keys(view), Object.keys(view).toSorted());
  assert.deepEqual(view, {
    ...{ callbacks: null, decode_model_labels: null, prefill_model_labels: null },
    ...{ k8s_label_selector: null, k8s_namespace: null, k8s_port: null, static_model_labels: null },
    ...{ routing_logic: 'roundrobin', service_discovery: 'static', session_key: 'x-user' },
    static_aliases: 'old:m',
    static_backend_health_check_interval: 10,
    static_backend_health_check_timeout_seconds: 3,
    static_backend_health_checks: true,
    static_backends: 'http://a,http://b',
    static_model_types: 'chat,chat',
    static_models: 'm,n',
  });
});

test('lists without entries are null in the view', () => {
  const empty = { ...base, engines: undefined, aliases: new Map(), sessionKey: undefined };
  const { view } = parseDynamicConfig('{}', 'f.yaml', empty, 'dns');
  assert.deepEqual(
    [view['static_backends'], view['static_models'], view['static_aliases'], view['session_key']],
    [null, null, null, null],
  );
  assert.equal(view['static_model_types'], null);
});
