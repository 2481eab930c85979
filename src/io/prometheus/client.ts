// Queries a Prometheus server by its HTTP API.
import {
  basicAuthorization,
  InputError,
  SpillwayError,
  withoutCredentials,
} from '../../core/base/index.ts';

export interface PrometheusOptions {
  /** For example `http://127.0.0.1:9090`, with a path prefix if the server has one. */
  readonly url: string;
  /** For `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** The flag that gives the token, for the error about a missing one. */
  readonly tokenFlag?: string | undefined;
  /** Deadline of one query. @default 30000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One series of a result. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Unix seconds and value, ascending; one pair for an instant vector. */
  readonly samples: readonly (readonly [number, number])[];
}

/** Prometheus cannot be reached, does not respond as Prometheus does, or knows no engine. */
export class PrometheusError extends SpillwayError {
  override readonly name = 'PrometheusError';
  readonly code = 'ERR_PROMETHEUS';
  override readonly exitCode = 4;
}

const defaultTimeoutMs = 30_000;
/** Maximum size of a response. */
const answerBytesMax = 256 * 2 ** 20;

export class PrometheusClient {
  readonly #base: URL;
  /** From the credentials in the URL. */
  readonly #basic: string | undefined;
  readonly #options: PrometheusOptions;

  /** @throws {InputError} If the URL is invalid. */
  constructor(options: PrometheusOptions) {
    const base = URL.parse(options.url);
    if (base === null || !['http:', 'https:'].includes(base.protocol)) {
      throw new InputError(
        `"${withoutCredentials(options.url)}" is not the URL of a Prometheus server; give one such as http://127.0.0.1:9090.`,
      );
    }
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#basic = basicAuthorization(base);
    base.username = '';
    base.password = '';
    this.#base = base;
    this.#options = options;
  }

  /**
   * The server's own time, Unix seconds. VictoriaMetrics returns a scalar as a vector of one series
   * without labels.
   *
   * @throws {PrometheusError} As for `instant`.
   */
  async now(): Promise<number> {
    const { resultType, result } = await this.#ask('time()', undefined);
    const [only] = (resultType === 'vector' && seriesOf(result, 'value')) || [];
    const isBare = only !== undefined && Object.keys(only.labels).length === 0;
    const seconds =
      resultType === 'scalar' ? sampleOf(result)?.[1] : isBare ? only.samples[0]?.[1] : undefined;
    if (seconds === undefined || !Number.isFinite(seconds)) throw this.#unusable('time()');
    return seconds;
  }

  /**
   * The value of each series at one moment.
   *
   * @param atSeconds Evaluation time, Unix seconds; the server's now when undefined.
   * @throws {PrometheusError} If there is no usable response.
   * @throws {InputError} If the server rejects the expression.
   */
  async instant(expression: string, atSeconds?: number): Promise<readonly PrometheusSeries[]> {
    return this.#series(expression, atSeconds, 'vector', 'value');
  }

  /** The samples of each series in a range, such as `up[5m]`; otherwise, as `instant`. */
  async range(expression: string, atSeconds?: number): Promise<readonly PrometheusSeries[]> {
    return this.#series(expression, atSeconds, 'matrix', 'values');
  }

  async #series(
    expression: string,
    atSeconds: number | undefined,
    type: 'vector' | 'matrix',
    key: 'value' | 'values',
  ): Promise<readonly PrometheusSeries[]> {
    const { resultType, result } = await this.#ask(expression, atSeconds);
    const series = resultType === type ? seriesOf(result, key) : undefined;
    if (series === undefined) throw this.#unusable(expression);
    return series;
  }

  get #where(): string {
    return `${this.#base.origin}${this.#base.pathname}`.replace(/\/$/, '');
  }

  #unusable(expression: string): PrometheusError {
    return new PrometheusError(
      `${this.#where} returned an unexpected result for the query ${expression}; check that it is a Prometheus server.`,
    );
  }

  async #ask(query: string, time: number | undefined): Promise<RawData> {
    const { token, tokenFlag, timeoutMs = defaultTimeoutMs, signal } = this.#options;
    const url = new URL('api/v1/query', this.#base);
    const where = this.#where;
    const deadline = AbortSignal.timeout(timeoutMs);
    let text: string;
    let status: number;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          ...(this.#basic !== undefined && { authorization: this.#basic }),
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
        `No response from Prometheus at ${where}: ${deadline.aborted ? `none within ${timeoutMs / 1000} s` : reasonOf(error)}; check the URL.`,
        { cause: error },
      );
    }
    const answer = objectOf(parsed(text));
    const data = objectOf(answer?.['data']);
    if (answer?.['status'] === 'success' && data !== undefined) {
      return { resultType: data['resultType'], result: data['result'] };
    }
    const error = answer?.['error'];
    if (answer?.['status'] === 'error' && typeof error === 'string') {
      if (answer['errorType'] === 'bad_data') {
        throw new InputError(`Prometheus rejected ${query}: ${error}.`);
      }
      throw new PrometheusError(`Prometheus could not evaluate ${query}: ${error}.`);
    }
    throw new PrometheusError(
      `${where} returned ${status} and a body that is not a Prometheus response; check the URL${tokenFlag !== undefined && [401, 403].includes(status) ? ` and ${tokenFlag}` : ''}.`,
    );
  }
}

interface RawData {
  readonly resultType: unknown;
  readonly result: unknown;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/**
 * The series of a vector (`value`) or a matrix (`values`).
 *
 * @returns Undefined if it is neither.
 */
function seriesOf(
  result: unknown,
  key: 'value' | 'values',
): readonly PrometheusSeries[] | undefined {
  if (!Array.isArray(result)) return undefined;
  const series: PrometheusSeries[] = [];
  for (const one of result as readonly unknown[]) {
    const raw = objectOf(one);
    const labels = objectOf(raw?.['metric']);
    const values: unknown = key === 'value' ? [raw?.['value']] : raw?.['values'];
    if (labels === undefined || !Array.isArray(values)) return undefined;
    if (!Object.values(labels).every((label) => typeof label === 'string')) return undefined;
    const samples = values.map(sampleOf);
    if (!samples.every((sample) => sample !== undefined)) return undefined;
    series.push({ labels: labels as Readonly<Record<string, string>>, samples });
  }
  return series;
}

/** Unix seconds and a value, which is NaN for "NaN"; undefined if it is no sample. */
function sampleOf(sample: unknown): readonly [number, number] | undefined {
  if (!Array.isArray(sample) || sample.length !== 2) return undefined;
  const [seconds, text] = sample as readonly unknown[];
  if (typeof seconds !== 'number' || typeof text !== 'string') return undefined;
  const value = sampleValue(text);
  return value === undefined ? undefined : [seconds, value];
}

/** A sample value as Prometheus writes it: `0.5`, `NaN`, `+Inf`, `-Inf`. */
function sampleValue(text: string): number | undefined {
  const value = Number(text);
  if (!Number.isNaN(value) && text.trim() !== '') return value;
  if (text === 'NaN') return Number.NaN;
  if (!/^[+-]?Inf$/.test(text)) return undefined;
  return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
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
        `The response of Prometheus is larger than ${answerBytesMax / 2 ** 20} MiB; narrow --selector or --window.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Returns the cause below `fetch`, whose own message is only "fetch failed". */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) {
    return cause.errors[0].message;
  }
  if (cause instanceof Error) return cause.message;
  return error instanceof Error ? error.message : String(error);
}
