// Opens the export of spans. Its modules are loaded only then.
import { readFile } from 'node:fs/promises';
import { InputError, version } from '../../core/base/index.ts';
import type { Logger } from '../log/index.ts';
import type { OtlpChannel } from './otlp-channel.ts';
import type { OtlpSettings } from './otlp-settings.ts';
import type { SpanExporter } from './span-exporter.ts';

/** @throws {InputError} If the file of the authority cannot be read. */
export async function openSpanExporter(settings: OtlpSettings, log: Logger): Promise<SpanExporter> {
  const { certificatePath, timeoutMs } = settings;
  const [{ SpanExporter: Exporter }, { ExportRequests }, channel] = await Promise.all([
    import('./span-exporter.ts'),
    import('./span-encoding.ts'),
    openChannel(settings, certificatePath === undefined ? undefined : await read(certificatePath)),
  ]);
  const resource = {
    'service.version': version,
    'telemetry.sdk.name': 'spillway',
    'telemetry.sdk.language': 'nodejs',
    ...settings.resource,
  };
  const requests = new ExportRequests(resource);
  return new Exporter({ channel, requests, timeoutMs, random: { next: Math.random }, log });
}

async function openChannel(
  { protocol, url, headers }: OtlpSettings,
  ca: string | undefined,
): Promise<OtlpChannel> {
  const options = { url, headers, ca };
  if (protocol === 'grpc') return new (await import('./grpc-channel.ts')).GrpcChannel(options);
  return new (await import('./http-channel.ts')).HttpChannel(options);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new InputError(
      `OTEL_EXPORTER_OTLP_CERTIFICATE: ${path} cannot be read (${(error as Error).message}).`,
      { cause: error },
    );
  }
}
