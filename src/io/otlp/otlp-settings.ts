// Where spans are sent: from flags, and from the environment variables of OpenTelemetry's specification.
import { commaList, InputError, withoutCredentials } from '../../core/base/index.ts';

export type OtlpProtocol = 'grpc' | 'http/protobuf';

/** @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export const otlpProtocols: readonly OtlpProtocol[] = ['grpc', 'http/protobuf'];

export interface OtlpSettings {
  readonly protocol: OtlpProtocol;
  /** With gRPC, only scheme, host and port count. */
  readonly url: URL;
  /** Sent with each request: keys of the collector, for example. */
  readonly headers: Readonly<Record<string, string>>;
  /** Deadline of one request to the collector. */
  readonly timeoutMs: number;
  /** File with the authority of the collector's certificate, in PEM; undefined for Node's own list. */
  readonly certificatePath: string | undefined;
  /** Describes this process: `service.name` and more. */
  readonly resource: Readonly<Record<string, string>>;
}

/** What a command line says. */
export interface OtlpFlags {
  /** `host:port` or a URL; undefined or empty to look in the environment. */
  readonly endpoint: string | undefined;
  /** TLS for an endpoint without a scheme. */
  readonly isSecure: boolean;
  readonly protocol: OtlpProtocol | undefined;
  readonly serviceName: string | undefined;
}

const timeoutDefaultMs = 10_000;
const tracesPath = '/v1/traces';

/**
 * Reads the settings. A flag counts before `OTEL_EXPORTER_OTLP_TRACES_…`, that before `OTEL_EXPORTER_OTLP_…`. Without
 * a protocol, an endpoint of a flag is spoken to in gRPC, as upstream's router does, and one of the environment in HTTP,
 * the default of the specification.
 *
 * @param warn Is told which exporters are not here.
 * @param serviceNameDefault Name of the service if neither a flag nor the environment has one.
 * @returns Undefined if nothing names an endpoint: tracing is off.
 * @throws {InputError} If a value cannot be used.
 */
export function readOtlpSettings(
  flags: OtlpFlags,
  environment: Readonly<Record<string, string | undefined>>,
  serviceNameDefault: string,
  warn: (message: string) => void = () => {},
): OtlpSettings | undefined {
  const { endpoint: fromFlag, isSecure } = flags;
  const read = (name: string): string | undefined => environment[name]?.trim() || undefined;
  if (read('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return undefined;
  if (!sendsToCollector(read('OTEL_TRACES_EXPORTER'), warn)) return undefined;
  const variable = (name: string): [string, string] | undefined => {
    for (const full of [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]) {
      const value = read(full);
      if (value !== undefined) return [full, value];
    }
    return undefined;
  };
  const given: [string, string] | undefined = fromFlag
    ? ['the endpoint of traces', fromFlag]
    : variable('ENDPOINT');
  if (given === undefined) return undefined;
  const protocol =
    flags.protocol ??
    protocolOf(variable('PROTOCOL')) ??
    (fromFlag ? 'grpc' : ('http/protobuf' as const));
  const isWholeUrl = given[0] === 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  return {
    protocol,
    url: endpointUrl(given, protocol, isSecure, isWholeUrl),
    headers: pairsOf(variable('HEADERS')),
    timeoutMs: timeoutOf(variable('TIMEOUT')),
    certificatePath: variable('CERTIFICATE')?.[1],
    resource: {
      ...pairsOf(withName('OTEL_RESOURCE_ATTRIBUTES', read('OTEL_RESOURCE_ATTRIBUTES'))),
      'service.name': flags.serviceName || read('OTEL_SERVICE_NAME') || serviceNameDefault,
    },
  };
}

/**
 * Whether the exporters that the environment names include ours. As the specification asks, `none` sends no traces, and what
 * is not known is reported and ignored.
 *
 * @param text Of `OTEL_TRACES_EXPORTER`.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#exporter-selection
 */
function sendsToCollector(text: string | undefined, warn: (message: string) => void): boolean {
  const names = commaList(text ?? '').map((name) => name.toLowerCase());
  if (names.length === 0 || names.includes('otlp')) return true;
  if (names.includes('none')) return false;
  const isOther = names.some((name) => otherExporters.has(name));
  const what = isOther ? 'no traces are sent' : 'traces are sent by OTLP';
  warn(`OTEL_TRACES_EXPORTER is "${names.join(',')}", and only otlp and none are here: ${what}.`);
  return !isOther;
}

/** Exporters of the specification that are not here: who asks for one does not ask for OTLP. */
const otherExporters: ReadonlySet<string> = new Set([
  'console',
  'logging',
  'zipkin',
  'jaeger',
  'prometheus',
]);

type Variable = readonly [name: string, value: string];

function withName(name: string, value: string | undefined): Variable | undefined {
  return value === undefined ? undefined : [name, value];
}

function endpointUrl(
  [name, text]: Variable,
  protocol: OtlpProtocol,
  isSecure: boolean,
  isWholeUrl: boolean,
): URL {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = URL.parse(hasScheme ? text : `${isSecure ? 'https' : 'http'}://${text}`);
  const isUsable = url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '';
  if (!isUsable || url.username !== '' || url.password !== '') {
    throw new InputError(
      `${name} must be host:port or an http(s) URL without credentials, not "${withoutCredentials(text)}"; keys go into OTEL_EXPORTER_OTLP_HEADERS.`,
    );
  }
  if (isSecure) url.protocol = 'https:';
  if (protocol === 'http/protobuf' && !isWholeUrl && !url.pathname.endsWith(tracesPath)) {
    url.pathname = url.pathname.replace(/\/$/, '') + tracesPath;
  }
  return url;
}

function protocolOf(variable: Variable | undefined): OtlpProtocol | undefined {
  if (variable === undefined) return undefined;
  const [name, text] = variable;
  const protocol = otlpProtocols.find((known) => known === text);
  if (protocol !== undefined) return protocol;
  throw new InputError(`${name} must be ${otlpProtocols.join(' or ')}, not "${text}".`);
}

function timeoutOf(variable: Variable | undefined): number {
  if (variable === undefined) return timeoutDefaultMs;
  const [name, text] = variable;
  const timeoutMs = Number(text);
  if (Number.isInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 600_000) return timeoutMs;
  throw new InputError(`${name} must be milliseconds from 1 to 600000, not "${text}".`);
}

/** `key=value,key=value` with percent-encoded values, as the specification writes maps. */
function pairsOf(variable: Variable | undefined): Record<string, string> {
  const pairs: Record<string, string> = {};
  if (variable === undefined) return pairs;
  const [name, text] = variable;
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const key = part.slice(0, equals).trim();
    if (equals < 1 || key === '') throw wrongPairs(name);
    try {
      pairs[key] = decodeURIComponent(part.slice(equals + 1).trim());
    } catch {
      throw wrongPairs(name);
    }
  }
  return pairs;
}

/** Does not show the value: it may be a key. */
function wrongPairs(name: string): InputError {
  return new InputError(`${name} must be key=value,key=value with percent-encoded values.`);
}
