// Finds a router that serves whoever reaches it.
import { at } from '../kubernetes/index.ts';
import type { Check } from './check.ts';

const hosts = new Set(['127.0.0.1', 'localhost', '::1']);

/**
 * Whether clients of the router need a key.
 *
 * @param values As written, or merged; undefined if only a cluster is checked.
 */
export function checkAccess(values: unknown): Check | undefined {
  const spec = at(values, 'routerSpec');
  if (values === undefined || at(spec, 'enableRouter') === false) return undefined;
  if (hasKey(spec)) {
    return { name: 'access', result: 'ok', detail: 'clients of the router need a key', next: '' };
  }
  return {
    ...{ name: 'access', result: 'warning' },
    detail: `the router has no API key, so that everyone who reaches it can use it${reach(spec)}`,
    next: 'set routerSpec.apiKey, or --api-key-file in routerSpec.extraArgs',
  };
}

function hasKey(spec: unknown): boolean {
  const key = at(spec, 'apiKey');
  if (typeof key === 'string' ? key !== '' : Boolean(at(key, 'secretName'))) return true;
  const given = at(spec, 'extraArgs');
  const names = Array.isArray(given) ? given.map((word) => String(word).split('=')[0]) : [];
  return names.some((name) => name === '--api-key' || name === '--api-key-file');
}

/** How far that is, where the values open it beyond the cluster or the machine. */
function reach(spec: unknown): string {
  const type = at(spec, 'serviceType');
  const opened = [
    type === 'LoadBalancer' || type === 'NodePort' ? `serviceType: ${type}` : '',
    at(spec, 'ingress', 'enabled') === true ? 'ingress' : '',
    typeof at(spec, 'host') === 'string' && !hosts.has(String(at(spec, 'host')))
      ? `host: ${at(spec, 'host')}`
      : '',
  ].filter((one) => one !== '');
  return opened.length === 0 ? '' : ` (${opened.join(', ')})`;
}
