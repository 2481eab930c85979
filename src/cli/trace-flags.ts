// Flags of traces: where spans are sent, and which traces are kept.
import { type Command, Option } from 'commander';
import { samplingDefaults } from '../core/telemetry/index.ts';
import type { Logger } from '../io/log/index.ts';
import {
  type OtlpProtocol,
  otlpProtocols,
  readOtlpSettings,
  type TracingOptions,
} from '../io/otlp/index.ts';
import { number } from './arguments/numbers.ts';
import { duration } from './arguments/quantities.ts';

export interface TraceFlags {
  readonly otelEndpoint?: string;
  readonly otelServiceName?: string;
  readonly otelSecure?: boolean;
  readonly otelProtocol?: OtlpProtocol;
  readonly otelSampleShare: number;
  readonly otelExpensiveUsd: number;
  readonly otelExpensiveSeconds: number;
  readonly otelInputPrice: number;
  readonly otelOutputPrice: number;
}

const amount = number({ min: 0, max: 1e9 });

/**
 * Adds upstream's flags, and ours for protocol and sampling.
 *
 * @param serviceName The name that is used if neither a flag nor OTEL_SERVICE_NAME gives one, for the help.
 */
export function addTraceFlags(
  command: Command,
  serviceName: string,
  shareDefault: number = samplingDefaults.share,
): Command {
  const standard = samplingDefaults;
  return command
    .optionsGroup('Traces:')
    .option(
      '--otel-endpoint <host:port>',
      'OpenTelemetry collector that gets spans; without it, OTEL_EXPORTER_OTLP_ENDPOINT is used, and without either no traces are sent',
    )
    .option('--otel-service-name <name>', `service name of the spans (default: ${serviceName})`)
    .option('--otel-secure', 'use TLS for an endpoint without a scheme')
    .addOption(
      new Option(
        '--otel-protocol <protocol>',
        'protocol of the collector (default: grpc for --otel-endpoint)',
      ).choices(otlpProtocols),
    )
    .option(
      '--otel-sample-share <share>',
      'share of traces to keep, from 0 to 1, unless the client has decided; those of errors and expensive requests are always kept',
      number({ min: 0, max: 1 }),
      shareDefault,
    )
    .option(
      '--otel-expensive-usd <usd>',
      'traces of requests that cost at least this much are always kept',
      amount,
      standard.expensiveUsd,
    )
    .option(
      '--otel-expensive-seconds <duration>',
      'traces of requests that take at least this long are always kept',
      duration('s', { min: 0, max: 86_400 }),
      standard.expensiveSeconds,
    )
    .option(
      '--otel-input-price <usd>',
      'price of a million prompt tokens, for the cost of a request',
      amount,
      standard.inputUsdPerMillion,
    )
    .option(
      '--otel-output-price <usd>',
      'price of a million output tokens, for the cost of a request',
      amount,
      standard.outputUsdPerMillion,
    );
}

/** @returns Undefined if nothing names a collector. @throws {InputError} If a setting cannot be used. */
export function tracingFrom(
  flags: TraceFlags,
  serviceName: string,
  log: Pick<Logger, 'warning'>,
): TracingOptions | undefined {
  const otlp = readOtlpSettings(
    {
      endpoint: flags.otelEndpoint,
      isSecure: flags.otelSecure ?? false,
      protocol: flags.otelProtocol,
      serviceName: flags.otelServiceName,
    },
    process.env,
    serviceName,
    (message) => log.warning(message),
  );
  if (otlp === undefined) return undefined;
  return {
    otlp,
    sampling: {
      share: flags.otelSampleShare,
      expensiveUsd: flags.otelExpensiveUsd,
      expensiveSeconds: flags.otelExpensiveSeconds,
      inputUsdPerMillion: flags.otelInputPrice,
      outputUsdPerMillion: flags.otelOutputPrice,
    },
  };
}
