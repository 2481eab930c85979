// OTLP over HTTP: one POST for each export request.
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import { type OtlpChannel, ResponseBytes, type SendResult } from './otlp-channel.ts';

export interface HttpChannelOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Authority of the collector's certificate, in PEM. */
  readonly ca: string | undefined;
}

/** Statuses after which the request is sent again: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** A collector may ask for a longer pause; we wait this long at most. */
const retryAfterMaxMs = 30_000;

export class HttpChannel implements OtlpChannel {
  readonly #options: HttpChannelOptions;
  readonly #agent: Agent;

  constructor(options: HttpChannelOptions) {
    const { url, ca } = options;
    const limits = { keepAlive: true, maxSockets: 1 };
    this.#options = options;
    this.#agent =
      url.protocol === 'https:'
        ? new SecureAgent({ ...limits, ...(ca === undefined ? {} : { ca }) })
        : new Agent(limits);
  }

  send(body: Uint8Array, signal: AbortSignal): Promise<SendResult> {
    const { url, headers } = this.#options;
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const failed = (error: Error) => resolve({ kind: 'retry', why: reasonOf(error) });
      const request: ClientRequest = make(url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          ...headers,
          'content-type': 'application/x-protobuf',
          'content-length': body.length,
        },
      });
      request.on('error', failed);
      request.on('response', (response) => {
        const bytes = new ResponseBytes();
        response.on('data', (part: Buffer) => bytes.add(part));
        response.on('error', failed);
        response.on('end', () => resolve(resultOf(response, bytes.all)));
      });
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function resultOf({ statusCode = 0, headers }: IncomingMessage, response: Buffer): SendResult {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'ok', response };
  const why = `status ${statusCode}`;
  if (!retryable.has(statusCode)) return { kind: 'failed', why };
  const seconds = Number(headers['retry-after']);
  const afterMs = seconds > 0 ? Math.min(seconds * 1000, retryAfterMaxMs) : undefined;
  return { kind: 'retry', why, afterMs };
}

function reasonOf(error: Error): string {
  if (error.name === 'AbortError') return 'no response in time';
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
