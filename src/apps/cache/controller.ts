// LMCache's controller over HTTP: who has a prompt, and orders to the engines' workers.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { InputError } from '../../core/base/index.ts';
import {
  controllerChunkTokens,
  inProcessChunkHashes,
  noneHash,
  type Worker,
} from '../../core/lmcache/index.ts';
import { type Answer, createJsonServer } from '../../io/json-server/index.ts';
import type { Controller, Order } from '../../io/lmcache-controller/index.ts';
import { controllerRequests } from './controller-requests.ts';

/** @param hashSeed PYTHONHASHSEED of the engines. */
export function createControllerServer(controller: Controller, hashSeed: number): Server {
  const root = noneHash(hashSeed);
  return createJsonServer(({ method = '', url = '' }: IncomingMessage, body) => {
    const { pathname } = new URL(url, 'http://controller');
    return route(controller, root, `${method} ${pathname}`, body);
  });
}

/** @throws {z.ZodError | SyntaxError | OrderError | InputError} If it cannot be answered. */
async function route(
  controller: Controller,
  root: bigint,
  request: string,
  body: string,
): Promise<Answer> {
  const { registry } = controller;
  const ok = (value: unknown): Answer => ({ status: 200, body: value });
  switch (request) {
    case 'GET /controller/workers': {
      const workers = registry.workers.map((worker) => ({
        ...infoOf(worker),
        key_count: worker.keyCount,
      }));
      return ok({ workers, total_count: workers.length });
    }
    case 'GET /controller/key-stats':
      return ok(keyStats(registry.workers));
    case 'POST /lookup': {
      const { tokens } = controllerRequests.lookup.parse(JSON.parse(body));
      const matches = registry.match(inProcessChunkHashes(tokens, root));
      const layout = matches.map(({ instanceId, location, chunks }) => [
        instanceId,
        [location, chunks * controllerChunkTokens],
      ]);
      return ok({ event_id: `Lookup${randomUUID()}`, layout_info: Object.fromEntries(layout) });
    }
    case 'POST /query_instance': {
      const { ip } = controllerRequests.queryInstance.parse(JSON.parse(body));
      const found = registry.workers.find((worker) => worker.ip === ip);
      if (found === undefined) throw new InputError(`No worker has the address ${ip}.`);
      return ok({ event_id: `QueryInst${randomUUID()}`, res: found.instanceId });
    }
    case 'POST /query_worker_info': {
      const asked = controllerRequests.workers.parse(JSON.parse(body));
      const { instance_id: id, worker_ids: ids } = asked;
      const infos = registry.workers.filter(
        ({ instanceId, workerId }) =>
          (id === 'all' || id === instanceId) && (ids == null || ids.includes(workerId)),
      );
      return ok({ event_id: `QueryWorkerInfo${randomUUID()}`, worker_infos: infos.map(infoOf) });
    }
    case 'POST /health': {
      const { instance_id } = controllerRequests.health.parse(JSON.parse(body));
      const event_id = `health${randomUUID()}`;
      const replies = await controller.order(instance_id, (worker) => ({
        ...{ type: 'HealthWorkerMsg', worker_event_id: `HealthWorker${worker}${randomUUID()}` },
      }));
      const codes = replies.map(({ worker, reply }) => [worker.workerId, reply.errorCode ?? 0]);
      return ok({ event_id, error_codes: Object.fromEntries(codes) });
    }
    case 'POST /clear': {
      const { instance_id, location } = controllerRequests.clear.parse(JSON.parse(body));
      return ok(await ordered(controller, instance_id, 'Clear', { location }));
    }
    case 'POST /pin': {
      const { instance_id, location, tokens } = controllerRequests.pin.parse(JSON.parse(body));
      return ok(await ordered(controller, instance_id, 'Pin', { location, tokens }));
    }
    case 'POST /compress':
    case 'POST /decompress': {
      const { instance_id, ...fields } = controllerRequests.compress.parse(JSON.parse(body));
      const name = request === 'POST /compress' ? 'Compress' : 'Decompress';
      return ok(await ordered(controller, instance_id, name, fields));
    }
    case 'POST /move':
      return ok(await move(controller, body));
  }
  return { status: 404, body: { detail: 'Not Found' } };
}

/** Each worker moves its part to the worker of the same rank. */
async function move(controller: Controller, body: string) {
  const asked = controllerRequests.move.parse(JSON.parse(body));
  const [from, location] = asked.old_position;
  const [to, newLocation] = asked.new_position;
  const targets = controller.registry.workers.filter(({ instanceId }) => instanceId === to);
  const urlOf = (workerId: number): string => {
    const url = targets.find((worker) => worker.workerId === workerId)?.peerInitUrl;
    if (url !== undefined) return url;
    throw new InputError(`Worker ${workerId} of ${to} is not registered, or has P2P turned off.`);
  };
  return await ordered(controller, from, 'Move', (workerId) => ({
    ...{ old_position: location, new_position: [urlOf(workerId), newLocation] },
    ...{ tokens: asked.tokens, copy: asked.should_copy ?? false },
  }));
}

type Fields = Omit<Order, 'type'>;

/** Sends an order to all workers of an instance, and returns what they agree on. */
async function ordered(
  controller: Controller,
  instanceId: string,
  name: string,
  fields: Fields | ((workerId: number) => Fields),
) {
  const event_id = `${name}${randomUUID()}`;
  const replies = await controller.order(instanceId, (worker) => ({
    ...{ type: `${name}WorkerMsg`, worker_event_id: `Worker${worker}${event_id}` },
    ...(typeof fields === 'function' ? fields(worker) : fields),
  }));
  const counts = new Set(replies.map(({ reply }) => reply.tokens ?? 0));
  const [num_tokens] = counts;
  if (num_tokens === undefined) throw new InputError(`There is no instance ${instanceId}.`);
  if (counts.size === 1) return { event_id, num_tokens };
  throw new InputError(`The workers of ${instanceId} report different numbers of tokens.`);
}

function infoOf(worker: Worker) {
  return {
    ...{ instance_id: worker.instanceId, worker_id: worker.workerId, ip: worker.ip },
    ...{ port: worker.port, peer_init_url: worker.peerInitUrl ?? null },
    registration_time: worker.registeredSeconds,
    last_heartbeat_time: worker.heardSeconds,
  };
}

function keyStats(workers: readonly Worker[]) {
  const instances = new Map<string, { key_count: number; worker_count: number }>();
  for (const { instanceId, keyCount } of workers) {
    const one = instances.get(instanceId) ?? { key_count: 0, worker_count: 0 };
    one.key_count += keyCount;
    one.worker_count++;
    instances.set(instanceId, one);
  }
  return {
    total_key_count: workers.reduce((sum, { keyCount }) => sum + keyCount, 0),
    total_instance_count: instances.size,
    total_worker_count: workers.length,
    instances: [...instances].map(([instance_id, counts]) => ({ instance_id, ...counts })),
  };
}
