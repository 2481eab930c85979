// Converts Kubernetes quantities to numbers, to compare requests with limits.

const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * @returns The quantity in its base unit (cores, bytes, devices); undefined if it is not one, as
 * with a Helm template.
 * @example quantityValue('500m'); // 0.5
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function quantityValue(quantity: unknown): number | undefined {
  if (typeof quantity === 'number') return quantity;
  if (typeof quantity !== 'string') return undefined;
  const [, digits, suffix = ''] =
    /^([0-9.]+(?:[eE][-+]?[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?$/.exec(quantity) ?? [];
  const factor = suffixes[suffix];
  const value = Number(digits);
  return factor === undefined || !Number.isFinite(value) ? undefined : value * factor;
}
