// Settings of LMCache in vLLM's `--kv-transfer-config`: keys that begin with "lmcache." win over its file and its variables.
import type { KvTransferConfig } from './kv-transfer-config.ts';

const prefix = /^lmcache\.([a-z0-9_]+)$/;

/**
 * Returns LMCache's own keys with their values; null stands for its default.
 *
 * @example lmcacheOverrides(config); // { remote_url: 'lm://cache:65432' }
 */
export function lmcacheOverrides(
  config: Pick<KvTransferConfig, 'kv_connector_extra_config'> | undefined,
): Readonly<Record<string, unknown>> {
  const { kv_connector_extra_config: extra = {} } = config ?? {};
  const own = Object.entries(extra).flatMap(([key, value]) => {
    const name = prefix.exec(key)?.[1];
    return name === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(own), ...ofConnectors(extra['connectors']) };
}

/** Those of the connectors of a MultiConnector. */
function ofConnectors(connectors: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(connectors)) return {};
  const extras = connectors.map((one) => Object(Object(one)['kv_connector_extra_config']));
  return Object.assign(
    {},
    ...extras.map(({ connectors: _, ...extra }) =>
      lmcacheOverrides({ kv_connector_extra_config: extra }),
    ),
  );
}
