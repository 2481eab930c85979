// vLLM's NIXL connector as a tier of one engine: its settings, and those of the emulation.
import { randomUUID } from 'node:crypto';
import { InputError } from '../../../core/base/index.ts';
import {
  type KvConnector,
  kvBytesPerTokenPerGpu,
  kvLink,
  type LayoutOptions,
  type TierListener,
  type TransferLinkOptions,
} from '../../../core/engine/index.ts';
import type { KvTransferConfig } from '../../../core/vllm-config/index.ts';
import { type ChannelServer, openChannel, tell } from './nixl-channel.ts';
import { NixlConnector } from './nixl-connector.ts';
import type { OutsideWork } from './outside-work.ts';

/** vLLM's environment variables for the connector. */
export interface NixlSettings {
  /** `VLLM_NIXL_SIDE_CHANNEL_HOST`: how other engines reach this one. */
  readonly host: string;
  /** `VLLM_NIXL_SIDE_CHANNEL_PORT`; 0 for any free one. */
  readonly port: number;
}

export interface NixlTierOptions extends NixlSettings {
  readonly connector: 'NixlConnector';
  readonly engineId: string;
  readonly blockBytes: number;
  readonly link: TransferLinkOptions;
  readonly loadFailure: 'fail' | 'recompute';
}

/** vLLM's port is 5600; several engines run on one machine here, so that the default is any free one. */
export const defaultNixl: NixlSettings = { host: '127.0.0.1', port: 0 };

/** @throws {InputError} If a variable cannot be used. */
export function nixlSettings(
  environment: Readonly<Record<string, string | undefined>>,
): NixlSettings {
  const { VLLM_NIXL_SIDE_CHANNEL_HOST: host, VLLM_NIXL_SIDE_CHANNEL_PORT: port } = environment;
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    throw new InputError(
      `VLLM_NIXL_SIDE_CHANNEL_PORT is "${port}"; it must be a port, from 0 to 65535.`,
    );
  }
  return {
    host: host || defaultNixl.host,
    port: port === undefined ? defaultNixl.port : Number(port),
  };
}

const where = '--kv-transfer-config, kv_connector_extra_config';
const linkKey = 'spillway.link';
const latencyKey = 'spillway.link_latency_ms';

/** @throws {InputError} If the emulation's settings cannot work. */
export function nixlTier(
  { kv_connector_extra_config: extra, kv_load_failure_policy, engine_id }: KvTransferConfig,
  nixl: NixlSettings,
  { model, gpu, tensorParallelSize = 1 }: LayoutOptions,
  blockSize: number,
): NixlTierOptions {
  const link = extra[linkKey] ?? 'rdma-400g';
  const latency = extra[latencyKey];
  if (typeof link !== 'string' && typeof link !== 'number') {
    throw new InputError(`${where}: ${linkKey} must be the name or the rate of a link.`);
  }
  if (latency !== undefined && !(typeof latency === 'number' && latency >= 0)) {
    throw new InputError(`${where}: ${latencyKey} must be a number, 0 or more.`);
  }
  const { bytesPerSecond, latencySeconds } = kvLink(link, gpu);
  return {
    ...nixl,
    ...{ connector: 'NixlConnector', loadFailure: kv_load_failure_policy },
    engineId: engine_id ?? randomUUID(),
    blockBytes: blockSize * kvBytesPerTokenPerGpu(model, tensorParallelSize) * tensorParallelSize,
    link: {
      // Each GPU has its own link, and transfers its part of a block.
      bytesPerSecond: bytesPerSecond * tensorParallelSize,
      latencySeconds: latency === undefined ? latencySeconds : latency / 1000,
    },
  };
}

export function createNixl(
  { host, port, engineId, blockBytes, link, loadFailure }: NixlTierOptions,
  engine: { readonly blockSize: number; readonly log?: ((line: string) => void) | undefined },
  listener: TierListener,
  outside: OutsideWork,
): KvConnector {
  const connector = new NixlConnector({
    ...{ blockSize: engine.blockSize, log: engine.log },
    ...{ blockBytes, link, loadFailure, outside, tell },
    onTransfer: listener.transferred,
  });
  let server: ChannelServer | undefined;
  outside.onListening(async () => {
    server = await openChannel(host, port, (verb, id) => connector.heard(verb, id));
    outside.sideChannel = { host, engineId, port: server.port };
  });
  outside.onClose(() => void server?.close());
  return connector;
}
