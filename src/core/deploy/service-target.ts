// Where the connections of a Service go: its ready pods, as EndpointSlices list them.
import { at, listAt, textAt } from '../kubernetes/index.ts';

export interface ServiceTarget {
  readonly pod: string;
  readonly port: number;
}

/**
 * @param slices EndpointSlices of one Service.
 * @param portName Name of the Service's port; '' if it has none.
 * @returns Ready pods with the number of the port there, those of one slice in its order.
 */
export function serviceTargets(
  slices: readonly unknown[],
  portName: string,
): readonly ServiceTarget[] {
  const targets = slices.flatMap((slice) => {
    const found = listAt(slice, 'ports').find((port) => textAt(port, 'name') === portName);
    const port = Number(at(found, 'port'));
    if (!Number.isInteger(port)) return [];
    return listAt(slice, 'endpoints').flatMap((endpoint) => {
      // Kubernetes: a condition that is missing counts as true.
      if (at(endpoint, 'conditions', 'ready') === false) return [];
      const pod = textAt(endpoint, 'targetRef', 'name');
      const isPod = textAt(endpoint, 'targetRef', 'kind') === 'Pod' && pod !== '';
      return isPod ? [{ pod, port }] : [];
    });
  });
  // A pod of a Service for two address families is in two slices.
  return [...new Map(targets.map((target) => [target.pod, target])).values()];
}
