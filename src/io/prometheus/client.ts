// Questions to a Prometheus server by its HTTP API.
import { InputError, SpillwayError } from '../../core/base/index.ts';

export interface PrometheusOptions {
  /** E.g. `http://127.0.0.1:9090`, with a path prefix where the server has one. */
  readonly url: string;
  /** For `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Of one question. @default 30000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One series of an answer. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix seconds and value, ascending; one for an instant vector. */
  readonly samples: readonly (readonly [number, number])[];
}

/** Prometheus cannot be asked, or does not answer as Prometheus does. */
export class PrometheusError extends SpillwayError {
  override readonly name = 'PrometheusError';
  readonly code = 'ERR_PROMETHEUS';
  override readonly exitCode = 2;
}

const defaultTimeoutMs = 30_000;
/** Longest answer that is read. */
const answerBytesMax = 256 * 2 ** 20;

export class PrometheusClient {
  readonly #base: URL;
  readonly #options: PrometheusOptions;

  /** @throws {InputError} If the URL is none. */
  constructor(options: PrometheusOptions) {
    const base = URL.parse(options.url);
    if (base === null || !['http:', 'https:'].includes(base.protocol)) {
      throw new InputError(
        `"${options.url}" is no URL of a Prometheus server; give one such as http://127.0.0.1:9090.`,
      );
    }
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#base = base;
    this.#options = options;
  }

  /** The server's own time, Unix seconds. */
  async now(): Promise<number> {
    const answer = await this.#ask('time()', undefined);
    return Number((answer.result as readonly unknown[])[0]);
  }

  /**
   * An instant query: a vector, or a matrix for a range selector.
   *
   * @param atSeconds Evaluation time, Unix seconds; the server's now when undefined.
   * @throws {PrometheusError} If the server refuses, does not answer, or answers something else.
   */
  async query(expression: string, atSeconds?: number): Promise<readonly PrometheusSeries[]> {
    const { resultType, result } = await this.#ask(expression, atSeconds);
    if (resultType !== 'vector' && resultType !== 'matrix') {
      throw new PrometheusError(
        `Prometheus answers ${expression} with a ${resultType}, not with series.`,
      );
    }
    return (result as readonly RawSeries[]).map(({ metric, value, values }) => ({
      labels: metric,
      samples: (values ?? (value ? [value] : [])).map(
        ([seconds, text]) => [seconds, Number(text)] as const,
      ),
    }));
  }

  async #ask(query: string, time: number | undefined): Promise<RawData> {
    const { token, timeoutMs = defaultTimeoutMs, signal } = this.#options;
    const url = new URL('api/v1/query', this.#base);
    const where = `${this.#base.origin}${this.#base.pathname}`.replace(/\/$/, '');
    const deadline = AbortSignal.timeout(timeoutMs);
    let text: string;
    let status: number;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: new URLSearchParams({ query, ...(time === undefined ? {} : { time: String(time) }) }),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      });
      status = response.status;
      text = await readText(response);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof PrometheusError) throw error;
      throw new PrometheusError(
        `No answer from Prometheus at ${where}: ${deadline.aborted ? `none within ${timeoutMs / 1000} s` : reasonOf(error)}; check --prometheus.`,
        { cause: error },
      );
    }
    const answer = parsed(text);
    if (answer?.status === 'success' && answer.data) return answer.data;
    if (answer?.error !== undefined) {
      throw new PrometheusError(`Prometheus refuses ${query}: ${answer.error}.`);
    }
    throw new PrometheusError(
      `${where} answers ${status} and not as Prometheus does; check --prometheus${status === 401 || status === 403 ? ' and --token-file' : ''}.`,
    );
  }
}

interface RawSeries {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface RawData {
  readonly resultType: string;
  readonly result: unknown;
}

interface RawAnswer {
  readonly status?: string;
  readonly data?: RawData;
  readonly error?: string;
}

function parsed(text: string): RawAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new PrometheusError(
        `Prometheus' answer is larger than ${answerBytesMax / 2 ** 20} MiB; narrow --selector or --window.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What went wrong below `fetch`, whose own message is only "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) {
    return cause.errors[0].message;
  }
  if (cause instanceof Error) return cause.message;
  return error instanceof Error ? error.message : String(error);
}
