import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OtlpFlags, readOtlpSettings } from './index.ts';

const noFlags: OtlpFlags = {
  endpoint: undefined,
  isSecure: false,
  protocol: undefined,
  serviceName: undefined,
};
const read = (flags: Partial<OtlpFlags>, environment: Record<string, string> = {}) =>
  readOtlpSettings({ ...noFlags, ...flags }, environment, 'vllm-router');
const address = (flags: Partial<OtlpFlags>, environment: Record<string, string> = {}) => {
  const settings = read(flags, environment);
  return settings && `${settings.protocol} ${settings.url.href}`;
};

test('without an endpoint, tracing is off', () => {
  assert.equal(read({}), undefined);
  assert.equal(read({ endpoint: '' }, { OTEL_SERVICE_NAME: 'x' }), undefined);
});

test('an endpoint of a flag is spoken to in gRPC, as upstream’s router does', () => {
  assert.equal(address({ endpoint: 'otel:4317' }), 'grpc http://otel:4317/');
  assert.equal(address({ endpoint: 'otel:4317', isSecure: true }), 'grpc https://otel:4317/');
  assert.equal(address({ endpoint: 'https://otel:4317' }), 'grpc https://otel:4317/');
  assert.equal(address({ endpoint: '[::1]:4317' }), 'grpc http://[::1]:4317/');
});

test('with HTTP the path of traces is added, unless it is there', () => {
  const protocol = 'http/protobuf';
  assert.equal(
    address({ endpoint: 'otel:4318', protocol }),
    `${protocol} http://otel:4318/v1/traces`,
  );
  assert.equal(address({ endpoint: 'http://o/x/', protocol }), `${protocol} http://o/x/v1/traces`);
  assert.equal(
    address({ endpoint: 'http://o/v1/traces', protocol }),
    `${protocol} http://o/v1/traces`,
  );
});

test('the environment has the names and the default protocol of the specification', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://o:4318' };
  assert.equal(address({}, endpoint), 'http/protobuf http://o:4318/v1/traces');
  assert.equal(
    address({}, { ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }),
    'grpc http://o:4318/',
  );
  const own = { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t:1/own' };
  assert.equal(address({}, own), 'http/protobuf http://t:1/own');
  assert.equal(address({ endpoint: 'f:1' }, own), 'grpc http://f:1/');
  assert.equal(address({}, { ...endpoint, OTEL_SDK_DISABLED: 'true' }), undefined);
});

test('OTEL_TRACES_EXPORTER chooses: none stops traces, and what is not here is reported', () => {
  const said = (exporter: string) => {
    const warnings: string[] = [];
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://o', OTEL_TRACES_EXPORTER: exporter };
    const flags = { endpoint: undefined, isSecure: false, protocol: undefined };
    const settings = readOtlpSettings(
      { ...flags, serviceName: undefined },
      environment,
      'name',
      (message) => warnings.push(message),
    );
    return [settings !== undefined, ...warnings];
  };
  assert.deepEqual(said('none'), [false]);
  assert.deepEqual(said(' None '), [false]);
  for (const exporter of ['', 'otlp', 'console, otlp']) assert.deepEqual(said(exporter), [true]);
  assert.deepEqual(said('console'), [
    false,
    'OTEL_TRACES_EXPORTER is "console", and only otlp and none are here: no traces are sent.',
  ]);
  assert.deepEqual(said('oltp'), [
    true,
    'OTEL_TRACES_EXPORTER is "oltp", and only otlp and none are here: traces are sent by OTLP.',
  ]);
});

test('reads headers, deadline and resource of the environment', () => {
  const settings = read(
    { endpoint: 'o:1' },
    {
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b, other=c=d',
      OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,service.name=other',
    },
  );
  assert.deepEqual(settings?.headers, { 'x-key': 'a b', other: 'c=d' });
  assert.equal(settings?.timeoutMs, 2500);
  assert.deepEqual(settings?.resource, {
    'deployment.environment.name': 'prod',
    'service.name': 'vllm-router',
  });
});

test('the service’s name is that of the flag, then of the environment', () => {
  const environment = { OTEL_SERVICE_NAME: 'from-environment' };
  const nameOf = (serviceName: string | undefined) =>
    read({ endpoint: 'o:1', serviceName }, environment)?.resource['service.name'];
  assert.equal(nameOf('from-flag'), 'from-flag');
  assert.equal(nameOf(undefined), 'from-environment');
});

for (const [what, flags, environment, message] of [
  ['an endpoint with another scheme', { endpoint: 'ftp://o' }, {}, /host:port or an http\(s\) URL/],
  ['an endpoint without a host', { endpoint: ':4317' }, {}, /the endpoint of traces must be/],
  ['credentials in an endpoint', { endpoint: 'http://a:b@o' }, {}, /without credentials/],
  [
    'a protocol that is not supported',
    { endpoint: 'o:1' },
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
    /OTEL_EXPORTER_OTLP_PROTOCOL must be grpc or http\/protobuf, not "http\/json"/,
  ],
  [
    'a deadline that is no number',
    { endpoint: 'o:1' },
    { OTEL_EXPORTER_OTLP_TIMEOUT: '10s' },
    /OTEL_EXPORTER_OTLP_TIMEOUT must be milliseconds/,
  ],
] as const) {
  test(`refuses ${what}`, () => assert.throws(() => read(flags, environment), { message }));
}

test('does not repeat headers that cannot be read: they may be keys', () => {
  const environment = { OTEL_EXPORTER_OTLP_HEADERS: 'secret' };
  assert.throws(
    () => read({ endpoint: 'o:1' }, environment),
    (error: Error) => !error.message.includes('secret') && error.message.includes('key=value'),
  );
});
