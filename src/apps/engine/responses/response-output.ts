// The destinations of a response of the Responses API: its client, or the store.

import { setLoadHeaders } from '../generation/response-writer.ts';
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

export interface ResponseOutput {
  /** Called before the first events; not called for a response in one piece. */
  open(): void;
  write(events: string): void;
  /** @param response The whole response, which ends the stream or is sent alone. */
  finish(events: string, response: object): void;
}

/** Sends to the waiting client: as events if there are any, otherwise as one JSON body. */
export function clientOutput(
  engine: EmbeddedEngine,
  exchange: Exchange,
  isStream: boolean,
): ResponseOutput {
  return {
    open() {
      setLoadHeaders({ engine, exchange });
      exchange.openStream();
    },
    write: (events) => exchange.write(events),
    finish(events, response) {
      if (isStream) exchange.end(events);
      else {
        setLoadHeaders({ engine, exchange });
        exchange.sendJson(200, JSON.stringify(response));
      }
    },
  };
}

/** Does the same, and also passes on the finished response. */
export function alsoTo(output: ResponseOutput, keep: (response: object) => void): ResponseOutput {
  return {
    open: () => output.open(),
    write: (events) => output.write(events),
    finish(events, response) {
      keep(response);
      output.finish(events, response);
    },
  };
}
