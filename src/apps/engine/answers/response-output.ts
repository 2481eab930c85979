// Where a response of the Responses API goes: to its client, or into the store for later.
import type { Engine } from '../engine.ts';
import type { Exchange } from '../http/exchange.ts';
import { setLoadHeaders } from './answer.ts';

export interface ResponseOutput {
  /** The first events are about to come; a response in one piece has none. */
  open(): void;
  write(events: string): void;
  /** @param response The whole of it, which ends the stream or is all there is. */
  finish(events: string, response: object): void;
}

/** To the client that waits: as events if they come, else as one JSON. */
export function clientOutput(
  engine: Engine,
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

/** The same, and what is finished is also handed on. */
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
