// vLLM's `--kv-transfer-config`: the connector with which an engine transfers its KV cache.
import { InputError, nearest } from '../base/index.ts';

/** Settings under vLLM's own names. */
export interface KvTransferConfig {
  readonly kv_connector: string | null;
  readonly engine_id: string | null;
  readonly kv_role: (typeof kvRoles)[number] | null;
  readonly kv_buffer_device: string | null;
  readonly kv_port: number;
  /** Settings of the connector, which checks them itself. */
  readonly kv_connector_extra_config: Readonly<Record<string, unknown>>;
  readonly kv_connector_module_path: string | null;
  readonly enable_permute_local_kv: boolean;
  readonly kv_load_failure_policy: 'recompute' | 'fail';
}

const kvRoles = ['kv_producer', 'kv_both', 'kv_consumer'] as const;

/** vLLM 0.32's defaults (vllm/config/kv_transfer.py). */
export const defaultKvTransferConfig: KvTransferConfig = {
  kv_connector: null,
  engine_id: null,
  kv_role: null,
  kv_buffer_device: null,
  kv_port: 14_579,
  kv_connector_extra_config: {},
  kv_connector_module_path: null,
  enable_permute_local_kv: false,
  kv_load_failure_policy: 'fail',
};

/** Connectors that vLLM 0.32 registers (vllm/distributed/kv_transfer/kv_connector/factory.py). */
const kvConnectors = [
  'OffloadingConnector',
  'SimpleCPUOffloadConnector',
  'ExampleConnector',
  'ExampleHiddenStatesConnector',
  'LMCacheConnectorV1',
  'LMCacheMPConnector',
  'MultiConnector',
  'NixlConnector',
  'NixlPullConnector',
  'NixlPushConnector',
  'HiSparseConnector',
  'MoRIIOConnector',
  'DecodeBenchConnector',
  'MooncakeConnector',
  'MooncakeStoreConnector',
  'FlexKVConnectorV1',
  'HF3FSKVConnector',
] as const;

/** The valid values of each key; also the list of keys. */
const valueChecks: Readonly<
  Record<keyof KvTransferConfig, readonly [string, (value: unknown) => boolean]>
> = {
  kv_connector: ['a string', isText],
  engine_id: ['a string', isText],
  kv_role: [`one of ${kvRoles.join(', ')}`, (value) => value === null || isRole(value)],
  kv_buffer_device: ['a string', isText],
  kv_port: ['an integer', (value) => Number.isSafeInteger(value)],
  kv_connector_extra_config: ['an object', isRecord],
  kv_connector_module_path: ['a string', isText],
  enable_permute_local_kv: ['true or false', (value) => typeof value === 'boolean'],
  kv_load_failure_policy: [
    '"recompute" or "fail"',
    (value) => value === 'recompute' || value === 'fail',
  ],
};

/**
 * @param text The flag's value: a JSON object with some of the keys.
 * @throws {InputError} If it is not such an object, names no connector of vLLM, or a connector
 *   without a role.
 * @example parseKvTransferConfig('{"kv_connector":"OffloadingConnector","kv_role":"kv_both"}').kv_port; // 14579
 */
export function parseKvTransferConfig(text: string): KvTransferConfig {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`--kv-transfer-config is not JSON: ${text}`, { cause });
  }
  if (!isRecord(given)) {
    throw new InputError(
      '--kv-transfer-config must be a JSON object, e.g. {"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}.',
    );
  }
  for (const [key, value] of Object.entries(given)) {
    const check = Object.hasOwn(valueChecks, key)
      ? valueChecks[key as keyof KvTransferConfig]
      : undefined;
    if (check === undefined) {
      throw new InputError(
        `--kv-transfer-config has no key "${key}"; allowed are ${Object.keys(valueChecks).join(', ')}.`,
      );
    }
    if (!check[1](value)) {
      throw new InputError(`--kv-transfer-config: "${key}" must be ${check[0]}.`);
    }
  }
  const config: KvTransferConfig = { ...defaultKvTransferConfig, ...given };
  const { kv_connector: connector, kv_role: role, kv_connector_module_path: path } = config;
  if (connector !== null && role === null) {
    throw new InputError(
      `--kv-transfer-config: "kv_role" must be given with "kv_connector"; it is one of ${kvRoles.join(', ')}.`,
    );
  }
  if (connector !== null && path === null && !kvConnectors.some((name) => name === connector)) {
    const near = nearest(connector, kvConnectors);
    throw new InputError(
      `--kv-transfer-config: vLLM has no connector "${connector}"; ${near ? `did you mean ${near}? ` : ''}known: ${kvConnectors.join(', ')}.`,
    );
  }
  return config;
}

function isText(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function isRole(value: unknown): boolean {
  return kvRoles.some((role) => role === value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
