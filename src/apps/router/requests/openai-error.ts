// Error responses in the shape that OpenAI's clients parse, with the type names that vLLM uses.

/** vLLM's and OpenAI's `type` for each status that the router itself returns. */
const typeOfStatus: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  404: 'NotFoundError',
  405: 'MethodNotAllowedError',
  408: 'RequestTimeoutError',
  413: 'RequestTooLargeError',
  415: 'UnsupportedMediaTypeError',
  429: 'TooManyRequestsError',
  500: 'InternalServerError',
  501: 'NotImplementedError',
  502: 'BadGatewayError',
  503: 'ServiceUnavailableError',
  504: 'GatewayTimeoutError',
};

/** Code of the error for a request about a stored response whose engine cannot serve it now. */
export const engineUnavailableCode = 'response_engine_unavailable';

/** What OpenAI's clients call an error object. */
export interface OpenAiError {
  readonly status: number;
  readonly message: string;
  /** The request field at fault. */
  readonly param?: string | undefined;
  /** What OpenAI calls `code`. @default the status, as in vLLM */
  readonly code?: string | undefined;
}

/** The JSON text of an error response. */
export function openAiErrorJson({ status, message, param, code }: OpenAiError): string {
  const type = typeOf(status);
  return JSON.stringify({ error: { message, type, param: param ?? null, code: code ?? status } });
}

/** vLLM's name of an error with this status. */
export function typeOf(status: number): string {
  return typeOfStatus[status] ?? (status < 500 ? 'BadRequestError' : 'InternalServerError');
}
