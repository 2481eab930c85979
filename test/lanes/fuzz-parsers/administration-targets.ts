// The administrative routes of the embedded engine: adapters, sleep, pause, weights, faults. Each case goes to all of them, as a body or
// as a query, on one engine that keeps its state from case to case.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { readAdapterFolder } from '../../../src/apps/engine/adapters/adapter-folder.ts';
import { Faults } from '../../../src/apps/engine/faults/faults.ts';
import { Exchange } from '../../../src/apps/engine/http/exchange.ts';
import { FrameworkError } from '../../../src/apps/engine/http/framework-error.ts';
import { EngineRoutes } from '../../../src/apps/engine/http/route-table.ts';
import { routes } from '../../../src/apps/engine/routes/index.ts';
import { EmbeddedEngine } from '../../../src/apps/engine/runtime/embedded-engine.ts';
import { SpillwayError, seededRandom } from '../../../src/core/base/index.ts';
import { defaultEngineConfig } from '../../../src/core/engine/index.ts';
import { loadTokenizer } from '../../../src/io/tokenizers/index.ts';
import { check, cpuMs, jsonTokens, type Target, target } from './target.ts';

/** Routes that read a body. */
const bodyRoutes = [
  ...['POST /v1/load_lora_adapter', 'POST /v1/unload_lora_adapter', 'POST /adapters'],
  ...['POST /collective_rpc', 'POST /scale_elastic_ep', 'POST /abort_requests'],
  ...['POST /update_weight_version', 'POST /weight_checker', 'POST /update_weights'],
  ...['POST /init_weight_transfer_engine', 'POST /start_profile', 'POST /stop_profile'],
  ...['POST /inference/v1/abort_requests', 'POST /detokenize', 'PUT /spillway/faults'],
];

/** Routes that read a query. */
const queryRoutes = [
  ...[
    'POST /sleep',
    'POST /wake_up',
    'POST /release_kv_cache_memory',
    'POST /pause',
    'POST /resume',
  ],
  ...['POST /reset_prefix_cache', 'GET /server_info', 'GET /get_world_size', 'GET /metrics'],
];

const adapterFolders = join(import.meta.dirname, 'corpus', 'adapters');
const refusals = [SpillwayError, FrameworkError];

const engine = new EmbeddedEngine({
  ...{ model: 'tiny', devMode: true, profiler: true, enableScaleOut: true },
  allowRuntimeLoraUpdating: true,
  lora: {
    maxRank: 16,
    check: (path, maxRank) => readAdapterFolder(join(adapterFolders, path), maxRank),
  },
  tokenizer: await loadTokenizer(),
  config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
  cost: { stepSeconds: () => 0.001 },
});
const noActions = { refuse: () => {}, crash: () => {}, setSpeed: () => {} };
const table = new EngineRoutes(
  routes(engine, new Faults({}, seededRandom(1), noActions), undefined),
);

/** Sends one request. @returns What a refusal throws; undefined if the route has accepted the request. */
async function refusalOf(route: string, query: string, body: Uint8Array): Promise<unknown> {
  const [method = '', path = ''] = route.split(' ');
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { method, url: path + query });
  request.headers = { 'content-type': 'application/json', 'content-length': `${body.length}` };
  request.push(body);
  request.push(null);
  const response = new ServerResponse(request);
  const exchange = new Exchange(request, response);
  try {
    await table.handlerOf(exchange)(exchange);
  } catch (error) {
    if (!refusals.some((refusal) => error instanceof refusal)) throw error;
    return error;
  }
  check(response.writableEnded, `a response of ${route}`);
  return undefined;
}

/** @returns The longest time in ms on the processor that one of the requests took: the engine serves others between two. */
async function sendToAll(all: readonly string[], query: string, body: Uint8Array): Promise<number> {
  let refusal: unknown;
  let accepted = 0;
  let longestMs = 0;
  for (const route of all) {
    const startMs = cpuMs();
    const error = await refusalOf(route, query, body);
    longestMs = Math.max(longestMs, cpuMs() - startMs);
    if (error === undefined) accepted++;
    refusal ??= error;
  }
  if (accepted === 0) throw refusal;
  return longestMs;
}

export const administrationTargets: readonly Target[] = [
  target('engine administration', {
    ...{ form: 'json', weight: 0.5, folder: 'engine-administration', refusals },
    dictionary: [
      ...jsonTokens,
      ...['"lora_name":"a"', '"lora_path":"good"', '"request_ids":', '"tokens":[1,2]', '"args":'],
      ...['"action":"compare"', '"baseline":{', '"slowEngine":{"factor":2}', '"method":'],
    ],
    run: (bytes) => sendToAll(bodyRoutes, '', bytes),
  }),
  target('engine queries', {
    ...{ form: 'text', weight: 0.5, folder: 'engine-queries', bytesMax: 64 * 1024, refusals },
    dictionary: [
      ...['?', '&', '=', '%', '%00', '%ff', '+', '#', ';', 'level=2', 'mode=wait', 'tags=weights'],
      ...['tags=kv_cache', 'clear_cache=0', 'reset_running_requests=true', 'name[]=vllm:num'],
    ],
    run: (bytes) => sendToAll(queryRoutes, `?${bytes.toString('latin1')}`, Buffer.alloc(0)),
  }),
];
