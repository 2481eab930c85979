// Asks the server for its models before the first request is sent.
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { InputError, NoResponseError, withoutCredentials } from '../../core/base/index.ts';
import { headerLines, headersOf } from './request-headers.ts';

/** Deadline of GET /models; its response is small, so a server that needs longer is not up. */
const modelsTimeoutMs = 10_000;
const modelsLengthMax = 4 << 20;

/** A model in the server's list. */
export interface TargetModel {
  readonly id: string;
  /** Maximum length of prompt and output together, in tokens; undefined if the server does not list it. */
  readonly tokensMax: number | undefined;
}

/**
 * Finds the model to send requests to.
 *
 * @param options.model The model's name; the first one served if undefined.
 * @throws {NoResponseError} If the server cannot be reached.
 * @throws {InputError} If it does not serve the model.
 */
export async function findModel(options: {
  readonly url: URL;
  readonly apiKey: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly model: string | undefined;
  readonly signal: AbortSignal;
}): Promise<TargetModel> {
  const { url, model } = options;
  const models = await listModels(options);
  const found = model === undefined ? models[0] : models.find(({ id }) => id === model);
  if (found !== undefined) return found;
  if (models.length === 0) throw new InputError(`${withoutCredentials(url.href)} serves no model.`);
  const served = models.map(({ id }) => id).join(', ');
  throw new InputError(
    `${withoutCredentials(url.href)} does not serve the model "${model}"; it serves ${served}.`,
  );
}

/** What Node says of a certificate whose authority it does not know. */
const distrusted =
  /self-signed certificate|unable to (verify the first|get local issuer) certificate/;

async function listModels(options: {
  readonly url: URL;
  readonly apiKey: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
}): Promise<TargetModel[]> {
  const { url, signal } = options;
  const asked = `${url.href.replace(/\/+$/, '')}/models`;
  const address = withoutCredentials(asked);
  const headers = headersOf(options);
  // Node would refuse a wrong one as if the server could not be reached.
  headerLines(headers);
  let response: { readonly status: number; readonly body: string };
  try {
    response = await get(asked, headers, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof Error ? error.message || error.name : String(error);
    const [what, next] = distrusted.test(reason)
      ? [
          'its certificate is not trusted',
          'Name its authority, or itself, with NODE_EXTRA_CA_CERTS=FILE; "spillway bench" also has --insecure.',
        ]
      : [reason, 'Is the server up?'];
    throw new NoResponseError(`Cannot reach ${withoutCredentials(url.href)}: ${what}. ${next}`, {
      cause: error,
    });
  }
  if (response.status === 401 || response.status === 403) {
    throw new InputError(
      `${address} returned status ${response.status}: give its key in OPENAI_API_KEY, or name another variable with --api-key-env.`,
    );
  }
  if (response.status !== 200) {
    throw new InputError(
      `${address} returned status ${response.status}; the URL must be the base of an OpenAI API, such as http://127.0.0.1:8000/v1.`,
    );
  }
  return modelsIn(response.body, address);
}

function modelsIn(body: string, address: string): TargetModel[] {
  let list: unknown;
  try {
    list = (JSON.parse(body) as { readonly data?: unknown } | null)?.data;
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list)) throw new InputError(`${address} did not return a list of models.`);
  return list.flatMap(
    (entry: { readonly id?: unknown; readonly max_model_len?: unknown } | null) =>
      typeof entry?.id === 'string'
        ? {
            id: entry.id,
            tokensMax: typeof entry.max_model_len === 'number' ? entry.max_model_len : undefined,
          }
        : [],
  );
}

/** Sends a GET request. It does not use fetch, which refuses some ports that a server may have. */
function get(
  address: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = (address.startsWith('https:') ? requestTls : requestPlain)(address, {
      agent: false,
      headers,
      signal,
    });
    const timer = setTimeout(() => {
      request.destroy(new Error(`no response within ${modelsTimeoutMs / 1000} s`));
    }, modelsTimeoutMs);
    request.once('close', () => clearTimeout(timer));
    request.on('error', reject);
    request.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('error', reject);
      response.on('data', (text: string) => {
        body += text;
        if (body.length > modelsLengthMax) request.destroy(new Error('the response is too long'));
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.end();
  });
}
