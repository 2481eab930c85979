// GET, PUT and DELETE /spillway/faults: fault injection at run time.

import { badRequest } from '../../../core/api/index.ts';
import { InputError } from '../../../core/base/index.ts';
import { type FaultOptions, readFaults } from '../faults/fault-options.ts';
import type { Faults } from '../faults/faults.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler } from '../http/server.ts';

export function faultsRoutes(faults: Faults): Readonly<Record<string, Handler>> {
  const send = (exchange: Exchange) => exchange.sendJson(200, JSON.stringify(faults.options));
  return {
    GET: send,
    PUT: async (exchange) => {
      const options = parse(await exchange.json());
      exchange.response.once('finish', () => faults.set(options));
      exchange.sendJson(200, JSON.stringify(options));
    },
    DELETE: (exchange) => {
      faults.set({});
      send(exchange);
    },
  };
}

function parse(body: unknown): FaultOptions {
  try {
    const options = readFaults(body);
    if (!options.slowStart) return options;
    throw new InputError('Fault "slowStart" has no effect on a running engine; set it as a flag.');
  } catch (error) {
    if (error instanceof InputError) throw badRequest(error.message);
    throw error;
  }
}
