// GET /v1/responses/{response_id} and POST …/cancel: stored responses, if any are stored.
import { ApiError, schemaError } from '../../../core/api/index.ts';
import type { Handler } from '../http/server.ts';
import type { ResponseStore } from './response-store.ts';
import type { StoredResponse } from './stored-response.ts';

/** @param store Undefined if responses are not stored; then none is ever found. */
export function storedResponseRoute(store: ResponseStore | undefined): Handler {
  return (exchange) => {
    const after = exchange.url.searchParams.get('starting_after');
    if (after !== null && !/^[+-]?\d+$/.test(after)) {
      const msg = 'Input should be a valid integer, unable to parse string as an integer';
      throw schemaError([{ type: 'int_parsing', loc: 'query.starting_after', msg, input: after }]);
    }
    const isStream = readBoolean(exchange.url.searchParams.get('stream'));
    const stored = find(store, exchange.parameters['response_id'] ?? '');
    if (!isStream) {
      exchange.sendJson(200, JSON.stringify(stored.response));
    } else if (stored.hasEvents) {
      stored.streamTo(exchange, after === null ? 0 : Math.max(0, Number(after) + 1));
    } else {
      // vLLM fails here after sending the head: only background streams have events.
      exchange.openStream();
      exchange.response.socket?.destroySoon();
    }
  };
}

/** @param store Like above. */
export function cancelResponseRoute(store: ResponseStore | undefined): Handler {
  return (exchange) => {
    const stored = find(store, exchange.parameters['response_id'] ?? '');
    if (stored.isOver) {
      throw new ApiError(400, 'invalid_request_error', 'Cannot cancel a synchronous response.', {
        param: 'response_id',
      });
    }
    stored.abort();
    stored.end('cancelled');
    exchange.sendJson(200, JSON.stringify(stored.response));
  };
}

export function responseNotFound(id: string): ApiError {
  return new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, {
    param: 'response_id',
  });
}

function find(store: ResponseStore | undefined, id: string): StoredResponse {
  const stored = store?.get(id);
  if (stored === undefined) throw responseNotFound(id);
  return stored;
}

/** @throws {ApiError} 400 if a query parameter is not a boolean for Pydantic. */
function readBoolean(input: string | null): boolean {
  if (input === null || /^(false|f|no|n|off|0)$/i.test(input)) return false;
  if (/^(true|t|yes|y|on|1)$/i.test(input)) return true;
  const msg = 'Input should be a valid boolean, unable to interpret input';
  throw schemaError([{ type: 'bool_parsing', loc: 'query.stream', msg, input }]);
}
