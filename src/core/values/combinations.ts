// Finds values that are valid by themselves but cannot be combined.
import { commaList, counted } from '../base/index.ts';
import { findPolicy } from '../routing/index.ts';
import { engineConflicts } from './combinations-engine.ts';
import { type Conflict, pdbConflicts } from './conflict.ts';
import type { Values } from './schema.ts';
import { pathText } from './tree.ts';

/** Returns all conflicts of the values, whatever program uses them. */
export function checkCombinations(values: Values): Conflict[] {
  return [...engineConflicts(values), ...routerConflicts(values), ...cacheConflicts(values)];
}

function cacheConflicts({ cacheserverSpec }: Values): Conflict[] {
  const { enabled, copies = 1, replicaCount } = cacheserverSpec;
  if (!enabled || copies <= Math.max(1, replicaCount)) return [];
  return [
    {
      path: ['cacheserverSpec', 'copies'],
      others: [['cacheserverSpec', 'replicaCount']],
      sentence: `cacheserverSpec.copies (${copies}) must not be above replicaCount (${replicaCount}): each copy is on a server of its own`,
    },
  ];
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
  for (const section of ['tls', 'engineTls'] as const) {
    const { cert, key } = routerSpec[section];
    if ((cert === undefined) === (key === undefined)) continue;
    const [given, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    const names = `routerSpec.${section}.${missing}`;
    add(`${section}.${given}`, [`${section}.${missing}`], `needs ${names}: they belong together`);
  }
  if (routerSpec.tls.clientCa !== undefined && routerSpec.tls.cert === undefined) {
    add(
      'tls.clientCa',
      ['tls.cert'],
      'needs routerSpec.tls.cert and key: certificates of clients are asked for over TLS only',
    );
  }
  if (enableRouter && needsSessions(routerSpec.routingLogic) && routerSpec.sessionKey === '') {
    add(
      'routingLogic',
      ['sessionKey'],
      `is ${routerSpec.routingLogic}, so routerSpec.sessionKey must name the header or body key of the session, for example x-user-id`,
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

function needsSessions(routingLogic: string): boolean {
  return findPolicy(routingLogic)?.consumes.sessions === 'required';
}
