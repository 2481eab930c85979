// The engines of a values file that prefill, those that decode, and the link between them, where its
// routingLogic asks for disaggregated prefill.
import { InputError } from '../../core/base/index.ts';
import { type KvExchangeEngine, kvLink } from '../../core/engine/index.ts';
import { lmcacheRoles } from '../../core/layout/index.ts';
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
  return routerSpec.routingLogic.startsWith('disaggregated_prefill');
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
  const roles = pooled.map((one) => roleOf(one, values));
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

/** Returns the role that the router's labels give an engine, as upstream; otherwise the one in its own settings. */
function roleOf({ entry, transfer }: PooledEngine, { routerSpec }: Values): EngineRole {
  const labels = [entry.name, entry.labels?.['model'], entry.podLabels?.['model']];
  const prefill = labelsAfter(routerSpec.extraArgs, '--prefill-model-labels');
  const decode = labelsAfter(routerSpec.extraArgs, '--decode-model-labels');
  if (labels.some((label) => label !== undefined && prefill.includes(label))) return 'prefill';
  if (labels.some((label) => label !== undefined && decode.includes(label))) return 'decode';
  const { kvRole, nixlRole } = lmcacheRoles(entry);
  const role = kvRole ?? transfer?.role;
  if (role === 'kv_producer' || (role !== 'kv_consumer' && nixlRole === 'sender')) return 'prefill';
  if (role === 'kv_consumer' || nixlRole === 'receiver') return 'decode';
  throw new InputError(
    `servingEngineSpec.modelSpec "${entry.name}" does not say whether it prefills or decodes: name it in routerSpec.extraArgs after --prefill-model-labels or --decode-model-labels, or give lmcacheConfig.kvRole kv_producer or kv_consumer.`,
  );
}

/** Returns the labels in `--flag a,b` and `--flag=a,b`. */
function labelsAfter(args: readonly string[], flag: string): readonly string[] {
  const values = args.flatMap((word, i) => {
    if (args[i - 1] === flag) return [word];
    return word.startsWith(`${flag}=`) ? [word.slice(flag.length + 1)] : [];
  });
  return values.flatMap((value) => value.split(','));
}

/** Checks what vLLM checks when two NIXL connectors meet. */
function checkFit(engines: readonly StackEngine[]): void {
  const [first] = engines;
  for (const engine of engines) {
    if (engine.offload !== undefined) {
      throw new InputError(
        `${engine.name} has ${engine.offload}: KV offload on engines that only prefill or only decode is not simulated; remove it.`,
      );
    }
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
