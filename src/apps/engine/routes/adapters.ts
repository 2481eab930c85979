// POST /v1/load_lora_adapter and /v1/unload_lora_adapter, and SageMaker's names for both.
import {
  ApiError,
  boolean,
  type Issue,
  integer,
  type Parser,
  schemaError,
  string,
} from '../../../core/api/index.ts';
import { parsePythonJson } from '../base/python-json.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Handler, Routes } from '../http/server.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/** Available only with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1. */
export function adapterRoutes(engine: EmbeddedEngine): Routes {
  return {
    '/v1/load_lora_adapter': { POST: loadRoute(engine) },
    '/v1/unload_lora_adapter': { POST: unloadRoute(engine) },
    '/adapters': { POST: registerRoute(engine) },
    '/adapters/{adapter_name}': { DELETE: unregisterRoute(engine) },
  };
}

function loadRoute({ adapters }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const given = read(
      await exchange.json(),
      { lora_name: string, lora_path: string, load_inplace: boolean, is_3d_lora_weight: boolean },
      ['lora_name', 'lora_path'],
    );
    const name = String(given['lora_name']);
    await adapters.load(name, String(given['lora_path']), {
      inPlace: given['load_inplace'] === true,
    });
    exchange.send(200, '', `Success: LoRA adapter '${name}' added successfully.`);
  };
}

function unloadRoute({ adapters }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const shape = { lora_name: string, lora_int_id: nullable(integer()) };
    const name = String(read(await exchange.json(), shape, ['lora_name'])['lora_name']);
    adapters.unload(name);
    exchange.send(200, '', `Success: LoRA adapter '${name}' removed successfully.`);
  };
}

/** POST /adapters `{name, src}`: in vLLM, other code checks it, with messages of its own. */
function registerRoute({ adapters }: EmbeddedEngine): Handler {
  return async (exchange) => {
    const body = await sagemakerBody(exchange);
    const given = Object(body) as Readonly<Record<string, unknown>>;
    const faults = ['name', 'src'].flatMap((name) => {
      if (!(name in given)) {
        return [{ type: 'missing', loc: [name], msg: 'Field required', input: body }];
      }
      if (typeof given[name] === 'string') return [];
      const msg = 'Input should be a valid string';
      return [{ type: 'string_type', loc: [name], msg, input: given[name] }];
    });
    if (faults.length > 0) throw new ApiError(400, 'Bad Request', JSON.stringify(faults));
    const name = String(given['name']);
    await adapters.load(name, String(given['src']), { inPlace: given['load_inplace'] === true });
    exchange.send(200, '', `Adapter ${name} registered`);
  };
}

function unregisterRoute({ adapters }: EmbeddedEngine): Handler {
  return (exchange) => {
    const name = exchange.parameters['adapter_name'] ?? '';
    adapters.unload(name);
    exchange.send(200, '', `Adapter ${name} unregistered`);
  };
}

/** A body that is not JSON counts as an empty text. */
async function sagemakerBody(exchange: Exchange): Promise<unknown> {
  try {
    return parsePythonJson(await exchange.text());
  } catch {
    return '';
  }
}

/** Like `readBody`, for fields that may be absent but not null. */
function read(
  body: unknown,
  shape: Readonly<Record<string, Parser<unknown>>>,
  required: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    throw schemaError([{ type: 'model_attributes_type', loc: 'body', msg, input: body }]);
  }
  const given = body as Readonly<Record<string, unknown>>;
  const issues: Issue[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, parser] of Object.entries(shape)) {
    const loc = `body.${name}`;
    if (name in given) values[name] = parser(given[name], loc, issues);
    else if (required.includes(name)) {
      issues.push({ type: 'missing', loc, msg: 'Field required', input: body });
    }
  }
  if (issues.length > 0) throw schemaError(issues);
  return values;
}

function nullable<T>(parser: Parser<T>): Parser<T | null> {
  return (value, loc, issues) => (value === null ? null : parser(value, loc, issues));
}
