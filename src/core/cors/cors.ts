// Decides which pages of other origins may read responses: Starlette's CORSMiddleware, configured
// as in vLLM.

/** vLLM's `--allowed-origins`, `--allowed-methods`, `--allowed-headers`, `--allow-credentials`. */
export interface CorsSettings {
  /** @default none */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** @default ['*'] */
  readonly allowedMethods?: readonly string[] | undefined;
  /** @default ['*'] */
  readonly allowedHeaders?: readonly string[] | undefined;
  /** @default false */
  readonly allowCredentials?: boolean | undefined;
}

/** Reads a header of the request by its name in lower case. */
export type HeaderReader = (name: string) => string | undefined;

/** Names in lower case, and values. */
export type CorsHeaders = readonly (readonly [name: string, value: string])[];

export interface PreflightResponse {
  readonly status: 200 | 400;
  readonly headers: CorsHeaders;
  readonly text: string;
}

export interface Cors {
  allows(origin: string): boolean;
  /** Returns whether the request is a browser's preflight request. */
  isPreflight(method: string, header: HeaderReader): boolean;
  preflight(header: HeaderReader): PreflightResponse;
  /** The headers that let the page of the request's origin read the response. */
  headers(origin: string | undefined): CorsHeaders;
}

/** starlette/middleware/cors.py, ALL_METHODS */
const allMethods = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY'];
/** From the same file, SAFELISTED_HEADERS: browsers send them without a preflight request. */
const safeHeaders = ['Accept', 'Accept-Language', 'Content-Language', 'Content-Type'];

const preflightVary =
  'Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network';

export function createCors(settings: CorsSettings): Cors {
  const { allowedOrigins: origins = [], allowCredentials = false } = settings;
  const { allowedMethods = ['*'], allowedHeaders = ['*'] } = settings;
  const methods = allowedMethods.includes('*') ? allMethods : allowedMethods;
  const allowsAnyHeader = allowedHeaders.includes('*');
  const names = [...new Set([...safeHeaders, ...allowedHeaders])].toSorted();
  const knownNames = new Set(names.map((name) => name.toLowerCase()));
  const allowsAnyOrigin = origins.includes('*');
  const allows = (origin: string) => allowsAnyOrigin || origins.includes(origin);
  /** With credentials, browsers do not accept `*`. */
  const namesOrigin = !allowsAnyOrigin || allowCredentials;

  return {
    allows,

    isPreflight: (method, header) =>
      method === 'OPTIONS' &&
      header('origin') !== undefined &&
      header('access-control-request-method') !== undefined,

    preflight(header) {
      const origin = header('origin') ?? '';
      const asked = header('access-control-request-headers');
      const failures: string[] = [];
      const headers: (readonly [string, string])[] = [
        ['vary', preflightVary],
        ['access-control-allow-methods', methods.join(', ')],
        ['access-control-max-age', '600'],
      ];
      if (!allows(origin)) failures.push('origin');
      else headers.push(['access-control-allow-origin', namesOrigin ? origin : '*']);
      if (!methods.includes(header('access-control-request-method') ?? '')) failures.push('method');
      if (!allowsAnyHeader) {
        headers.push(['access-control-allow-headers', names.join(', ')]);
        const wanted = asked?.toLowerCase().split(',') ?? [];
        if (wanted.some((name) => !knownNames.has(name.trim()))) failures.push('headers');
      } else if (asked !== undefined) headers.push(['access-control-allow-headers', asked]);
      if (allowCredentials) headers.push(['access-control-allow-credentials', 'true']);
      if (header('access-control-request-private-network') !== undefined) {
        failures.push('private-network');
      }
      if (failures.length === 0) return { status: 200, headers, text: 'OK' };
      return { status: 400, headers, text: `Disallowed CORS ${failures.join(', ')}` };
    },

    headers(origin) {
      if (origin === undefined) return [];
      const headers: (readonly [string, string])[] = [];
      if (allowCredentials) headers.push(['access-control-allow-credentials', 'true']);
      if (allows(origin)) {
        headers.push(['access-control-allow-origin', namesOrigin ? origin : '*']);
      }
      return headers;
    },
  };
}
