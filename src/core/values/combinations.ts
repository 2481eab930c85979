// Values that are fine one by one and impossible together.
import { engineConflicts } from './combinations-engine.ts';
import { type Conflict, pdbConflicts } from './conflict.ts';
import type { Values } from './schema.ts';
import { pathText } from './tree.ts';

/** Everything in the values that cannot work together, whoever runs them. */
export function checkCombinations(values: Values): Conflict[] {
  return [...engineConflicts(values), ...routerConflicts(values)];
}

function routerConflicts({ routerSpec, loraController }: Values): Conflict[] {
  const conflicts: Conflict[] = [];
  const { autoscaling, enableRouter, staticBackends, staticModels } = routerSpec;
  const add = (key: string, others: readonly string[], sentence: string): void => {
    const path = ['routerSpec', ...key.split('.')];
    conflicts.push({
      path,
      others: others.map((other) => ['routerSpec', ...other.split('.')]),
      sentence: `${pathText(path)} ${sentence}`,
    });
  };
  if (autoscaling.minReplicas > autoscaling.maxReplicas) {
    add(
      'autoscaling.minReplicas',
      ['autoscaling.maxReplicas'],
      `(${autoscaling.minReplicas}) must not be above maxReplicas (${autoscaling.maxReplicas})`,
    );
  }
  if (enableRouter && routerSpec.routingLogic === 'session' && routerSpec.sessionKey === '') {
    add(
      'routingLogic',
      ['sessionKey'],
      'is session, so routerSpec.sessionKey must name the header or body key of the session, for example x-user-id',
    );
  }
  if (enableRouter && routerSpec.serviceDiscovery === 'static') {
    const backends = commaList(staticBackends);
    const models = commaList(staticModels);
    if (backends.length === 0) {
      add(
        'serviceDiscovery',
        ['staticBackends'],
        'is static, so routerSpec.staticBackends must list engine URLs, separated by commas',
      );
    } else if (backends.length !== models.length) {
      add(
        'staticModels',
        ['staticBackends'],
        `has ${counted(models.length, 'model')} for ${counted(backends.length, 'backend')}; there must be one for each of staticBackends`,
      );
    }
  }
  for (const [section, pdb] of [
    ['routerSpec', routerSpec.pdb],
    ['loraController', loraController.pdb],
  ] as const) {
    conflicts.push(...pdbConflicts([section, 'pdb'], pdb));
  }
  return conflicts;
}

function commaList(text: string): string[] {
  return text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
