// The engines of a values file that prefill, those that decode, and the link between them, where its
// routingLogic asks for disaggregated prefill.
import { InputError } from '../../core/base/index.ts';
import { type KvExchangeEngine, kvLink } from '../../core/engine/index.ts';
import { engineRole } from '../../core/launch/index.ts';
import { isDisaggregated as isRolePolicy } from '../../core/routing/index.ts';
import type { Disaggregation, EngineRole } from '../../core/simulation/index.ts';
import type { ModelEntry, Values } from '../../core/values/index.ts';
import type { KvTransfer } from './offload-settings.ts';
import type { StackEngine } from './stack-engine.ts';

/** One engine of the stack with its entry and its settings of KV transfer. */
export interface PooledEngine {
  readonly engine: StackEngine;
  readonly entry: ModelEntry;
  readonly transfer: KvTransfer | undefined;
}

/** Disaggregated prefill of a stack, for the simulation and for its report. */
export interface StackPools extends Disaggregation {
  readonly prefillPolicy: string;
  readonly decodePolicy: string;
  /** The link as the values or the flag name it. */
  readonly link: string;
  /** By engine: the bandwidth of one GPU in each direction. */
  readonly gpuBytesPerSecond: readonly number[];
}

export function isDisaggregated({ routerSpec }: Values): boolean {
  return isRolePolicy(routerSpec.routingLogic);
}

/**
 * @param link Overrides `routerSpec.disaggregation.link`.
 * @throws {InputError} If an engine has no role, a role has no engine, or engines do not fit each other.
 */
export function poolsOf(
  values: Values,
  pooled: readonly PooledEngine[],
  link: string | number = values.routerSpec.disaggregation.link,
): StackPools {
  const { routingLogic, disaggregation } = values.routerSpec;
  const roles = pooled.map(({ entry }) => engineRole(entry, values.routerSpec));
  const count = (role: EngineRole) => roles.filter((one) => one === role).length;
  const [prefills, decodes] = [count('prefill'), count('decode')];
  if (prefills === 0 || decodes === 0) {
    throw new InputError(
      `routerSpec.routingLogic ${routingLogic} needs engines that prefill and engines that decode; these values have ${prefills} and ${decodes}.`,
    );
  }
  if (routingLogic === 'disaggregated_prefill' && prefills + decodes > 2) {
    throw new InputError(
      `routerSpec.routingLogic disaggregated_prefill supports one engine of each kind, and these values have ${prefills} and ${decodes}; use disaggregated_prefill_orchestrated.`,
    );
  }
  checkFit(pooled.map(({ engine }) => engine));
  const links = pooled.map(({ engine }) => kvLink(link, engine.gpu));
  const latencyMs = disaggregation.linkLatencyMs;
  return {
    ...{ roles, link: String(link) },
    ...{ prefillPolicy: disaggregation.prefillPolicy, decodePolicy: disaggregation.decodePolicy },
    remotePrefillTokensMin: disaggregation.remotePrefillTokensMin,
    gpuBytesPerSecond: links.map(({ bytesPerSecond }) => bytesPerSecond),
    latencySeconds:
      latencyMs === undefined
        ? Math.max(...links.map(({ latencySeconds }) => latencySeconds))
        : latencyMs / 1000,
    links: pooled.map(({ engine }): KvExchangeEngine => {
      const { tensorParallelSize, kvBytesPerToken, config } = engine;
      const { blockSize } = config;
      // Each GPU has its own link, and transfers its part of a block.
      const bytesPerSecond = kvLink(link, engine.gpu).bytesPerSecond * tensorParallelSize;
      return { bytesPerSecond, blockBytes: blockSize * kvBytesPerToken, blockSize };
    }),
    loadFailure: loadFailureOf(pooled.filter((_, i) => roles[i] === 'decode')),
  };
}

/** Checks what vLLM checks when two NIXL connectors meet. */
function checkFit(engines: readonly StackEngine[]): void {
  const [first] = engines;
  for (const engine of engines) {
    if (engine.config.blockSize !== first?.config.blockSize) {
      throw new InputError(
        `${first?.name} has blocks of ${first?.config.blockSize} tokens and ${engine.name} of ${engine.config.blockSize}; engines that transfer KV to each other need the same vllmConfig.blockSize.`,
      );
    }
    if (engine.model.kvBytesPerValue !== first.model.kvBytesPerValue) {
      throw new InputError(
        `${first.name} and ${engine.name} store KV in different precisions; give them the same --kv-cache-dtype.`,
      );
    }
  }
}

function loadFailureOf(decoding: readonly PooledEngine[]): Disaggregation['loadFailure'] {
  const policies = new Set(decoding.map(({ transfer }) => transfer?.loadFailure ?? 'fail'));
  const [first = 'fail', second] = policies;
  if (second === undefined) return first;
  throw new InputError(
    'The engines that decode have different kv_load_failure_policy in their --kv-transfer-config; give them the same.',
  );
}
