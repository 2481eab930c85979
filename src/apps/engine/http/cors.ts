// Decides which pages of other origins may read responses: Starlette's CORSMiddleware, configured
// as in vLLM.
import type { Exchange } from './exchange.ts';

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

export interface Cors {
  /** Returns whether the request is a browser's preflight request. */
  isPreflight(exchange: Exchange): boolean;
  respondToPreflight(exchange: Exchange): void;
  /** Adds the headers that let the page of the request's origin read the response. */
  mark(exchange: Exchange): void;
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
  const headers = [...new Set([...safeHeaders, ...allowedHeaders])].toSorted();
  const knownHeaders = new Set(headers.map((name) => name.toLowerCase()));
  const allowsAnyOrigin = origins.includes('*');
  const isAllowed = (origin: string) => allowsAnyOrigin || origins.includes(origin);
  /** With credentials, browsers do not accept `*`. */
  const namesOrigin = !allowsAnyOrigin || allowCredentials;

  return {
    isPreflight: (exchange) =>
      exchange.request.method === 'OPTIONS' &&
      exchange.header('origin') !== undefined &&
      exchange.header('access-control-request-method') !== undefined,

    respondToPreflight(exchange) {
      const { response } = exchange;
      const origin = exchange.header('origin') ?? '';
      const asked = exchange.header('access-control-request-headers');
      const failures: string[] = [];
      response.setHeader('vary', preflightVary);
      response.setHeader('access-control-allow-methods', methods.join(', '));
      response.setHeader('access-control-max-age', '600');
      if (!isAllowed(origin)) failures.push('origin');
      else response.setHeader('access-control-allow-origin', namesOrigin ? origin : '*');
      if (!methods.includes(exchange.header('access-control-request-method') ?? '')) {
        failures.push('method');
      }
      if (!allowsAnyHeader) {
        response.setHeader('access-control-allow-headers', headers.join(', '));
        const names = asked?.toLowerCase().split(',') ?? [];
        if (names.some((name) => !knownHeaders.has(name.trim()))) failures.push('headers');
      } else if (asked !== undefined) {
        response.setHeader('access-control-allow-headers', asked);
      }
      if (allowCredentials) response.setHeader('access-control-allow-credentials', 'true');
      if (exchange.header('access-control-request-private-network') !== undefined) {
        failures.push('private-network');
      }
      const text = failures.length > 0 ? `Disallowed CORS ${failures.join(', ')}` : 'OK';
      exchange.send(failures.length > 0 ? 400 : 200, 'text/plain; charset=utf-8', text);
    },

    mark(exchange) {
      const origin = exchange.header('origin');
      if (origin === undefined) return;
      const { response } = exchange;
      if (allowCredentials) response.setHeader('access-control-allow-credentials', 'true');
      if (!isAllowed(origin)) return;
      response.setHeader('access-control-allow-origin', namesOrigin ? origin : '*');
    },
  };
}
