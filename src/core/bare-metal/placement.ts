// Which engine runs on which host, with which GPUs and ports.
import { counted, InputError } from '../base/index.ts';
import type { EnginePorts, LocalEngine } from '../launch/index.ts';
import { readEntry } from '../layout/index.ts';
import type { ModelEntry } from '../values/index.ts';
import type { Host } from './hosts.ts';

export interface PlacedEngine {
  readonly engine: LocalEngine;
  readonly host: Host;
  readonly ports: EnginePorts;
  /** Indexes of the GPUs that it alone uses. */
  readonly gpus: readonly number[];
}

export interface HostRoom {
  readonly host: Host;
  /** Indexes of its GPUs. */
  readonly gpus: readonly number[];
}

/** Ports of one engine: HTTP, KV events and their replay. */
const portsPerEngine = 3;

/**
 * Places engines in the order of the values file, each on the host with the most free GPUs; engines without GPUs go to the
 * host with the fewest engines. Equal hosts are taken in their order.
 *
 * @param firstPort Port of the first engine of each host.
 * @throws {InputError} If an engine finds no host.
 */
export function placeEngines(
  engines: readonly LocalEngine[],
  rooms: readonly HostRoom[],
  firstPort: number,
): readonly PlacedEngine[] {
  const hosts = rooms.map(({ host, gpus }) => ({ host, free: [...gpus], engines: 0 }));
  return engines.map((engine) => {
    const wanted = gpusOf(engine);
    const fitting = hosts.filter(({ free }) => free.length >= wanted);
    const best = fitting.reduce<(typeof hosts)[number] | undefined>((found, one) => {
      if (found === undefined) return one;
      const gain = wanted > 0 ? one.free.length - found.free.length : found.engines - one.engines;
      return gain > 0 ? one : found;
    }, undefined);
    if (best === undefined) throw new InputError(noRoom(engine, wanted, hosts));
    const http = firstPort + portsPerEngine * best.engines;
    best.engines += 1;
    return {
      ...{ engine, host: best.host, gpus: best.free.splice(0, wanted) },
      ports: { http, kvEvents: http + 1, kvReplay: http + 2 },
    };
  });
}

/** GPUs of one engine: its degrees of parallelism; an embedded engine and `requestGPU: 0` need none. */
function gpusOf({ kind, spec }: LocalEngine): number {
  if (kind === 'embedded' || requestedGpus(spec) === 0) return 0;
  const { settings } = readEntry(spec);
  const { tensorParallelSize = 1, pipelineParallelSize = 1, dataParallelSize = 1 } = settings;
  return tensorParallelSize * pipelineParallelSize * dataParallelSize;
}

function requestedGpus({ requestGPU }: ModelEntry): number | undefined {
  return requestGPU === undefined || requestGPU === '' ? undefined : Number(requestGPU);
}

function noRoom(
  { name }: LocalEngine,
  wanted: number,
  hosts: readonly { readonly host: Host; readonly free: readonly number[] }[],
): string {
  const free = hosts.map(({ host, free }) => `${host.text} ${free.length}`).join(', ');
  return (
    `The engine ${name} needs ${counted(wanted, 'GPU')} on one host, and free are: ${free}. ` +
    'Add hosts, lower replicaCount or the degrees of parallelism, or set requestGPU: 0 for a vLLM built for CPUs.'
  );
}
