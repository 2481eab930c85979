// Finds names and labels that Kubernetes would refuse, each with one that would do. The chart refuses the same (templates/_names.tpl).
import type { EngineKind, ModelEntry, Values } from '../values/index.ts';
import { type ChartFault, valueFault } from './chart-faults.ts';
import { imageFaults } from './image-faults.ts';
import { labelFaults } from './label-faults.ts';
import { objectFaults } from './object-faults.ts';

/** The release that `spillway deploy` makes unless it is told another name. */
const defaultRelease = 'vllm';

/** A label of DNS: names of Services, containers and volumes. */
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** Names of most other objects. */
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const configKey = /^[-._a-zA-Z0-9]{1,253}$/;
const labelCharactersMax = 63;
const nameCharactersMax = 253;
/** What the chart adds to release and entry: RELEASE-NAME-engine-service, RELEASE-NAME-chat-templates. */
const addedCharacters = '--engine-service'.length;

/**
 * Of the name of a RayCluster, RELEASE-NAME-raycluster.
 * @see https://github.com/ray-project/kuberay, utils/constant.go, MaxRayClusterNameLength
 */
const rayCharactersMax = 53;

/** @param kindOf What an entry runs on Kubernetes. */
export function nameFaults(
  values: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
  release: string = defaultRelease,
): readonly ChartFault[] {
  const { enableEngine, modelSpec, configs } = values.servingEngineSpec;
  // One that cannot be used has a sentence of its own.
  const bounding = releaseFault(values, release) === undefined ? release : defaultRelease;
  const entries = enableEngine
    ? [...modelSpec.entries()].filter(([, entry]) => entry.enabled && kindOf(entry) !== 'url')
    : [];
  return [
    ...entries.flatMap(([index, entry]) => entryFaults(index, entry, bounding)),
    ...Object.keys(configs).flatMap((key) =>
      configKey.test(key)
        ? []
        : [
            valueFault(
              ['servingEngineSpec', 'configs', key],
              `"${key}" becomes a key in Kubernetes, which has letters, digits, "-", "_" and "." only; use "${key.replace(/[^-._a-zA-Z0-9]+/g, '-')}"`,
            ),
          ],
    ),
    ...[...values.loraAdapters.entries()].flatMap(([index, { name, enabled }]) =>
      !enabled || (dnsName.test(name) && name.length <= nameCharactersMax)
        ? []
        : [
            valueFault(
              ['loraAdapters', index, 'name'],
              `"${name}" cannot be the name of an object in Kubernetes; use "${labelOf(name, labelCharactersMax)}": clients use adapterSource.adapterName, which stays`,
            ),
          ],
    ),
    ...labelFaults(withoutIdle(values, kindOf)),
    ...objectFaults(withoutIdle(values, kindOf)),
    ...imageFaults(values, kindOf),
  ];
}

/** The values without entries that make no objects; the indexes of the others stay. */
function withoutIdle(
  { servingEngineSpec, ...rest }: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
): unknown {
  const { enableEngine, modelSpec } = servingEngineSpec;
  const runs = modelSpec.map((entry) =>
    enableEngine && entry.enabled && kindOf(entry) !== 'url' ? entry : undefined,
  );
  return { servingEngineSpec: { ...servingEngineSpec, modelSpec: runs }, ...rest };
}

/** Whether an entry has pods, on Ray or not. */
function hasPods({ servingEngineSpec }: Values, onRay: boolean): boolean {
  const { enableEngine, modelSpec } = servingEngineSpec;
  return (
    enableEngine &&
    modelSpec.some(
      ({ enabled, kind, urls, raySpec }) =>
        enabled &&
        (kind === undefined ? urls === undefined : kind !== 'url') &&
        (raySpec?.enabled === true) === onRay,
    )
  );
}

/** What the chart adds to the release in names that Kubernetes bounds, and what bounds them. The shortest name of an entry has one letter. */
const releaseNames = [
  {
    ...{ kind: 'RayCluster', suffix: '-m-raycluster', charactersMax: rayCharactersMax },
    isUsed: (values: Values) => hasPods(values, true),
  },
  {
    ...{ kind: 'Service', suffix: '-m-engine-service', charactersMax: 63 },
    isUsed: (values: Values) => hasPods(values, false) || hasPods(values, true),
  },
  {
    ...{ kind: 'Service', suffix: '-router-service', charactersMax: 63 },
    isUsed: ({ routerSpec }: Values) => routerSpec.enableRouter,
  },
  {
    ...{ kind: 'Service', suffix: '-cache-server-service', charactersMax: 63 },
    isUsed: ({ cacheserverSpec }: Values) => cacheserverSpec.enabled,
  },
  {
    ...{ kind: 'volume', suffix: '-shared-pvc-storage', charactersMax: 63 },
    isUsed: ({ sharedPvcStorage }: Values) => sharedPvcStorage.enabled,
  },
  {
    ...{ kind: 'CronJob', suffix: '-gate', charactersMax: 52 },
    isUsed: ({ spillway }: Values) => spillway.gate.enabled,
  },
] as const;

/** Why the chart cannot be installed under a name, as a sentence; undefined if it can. */
export function releaseFault(values: Values, release: string): string | undefined {
  const used = releaseNames.filter(({ isUsed }) => isUsed(values));
  for (const { kind, suffix, charactersMax } of used) {
    const room = charactersMax - suffix.length;
    if (release.length <= room) continue;
    return `Release "${release}" is too long: ${kind} ${release}${suffix} may have at most ${charactersMax} characters; name the release with at most ${room}, such as "${release.slice(0, room).replace(/-+$/, '')}".`;
  }
  if (used.length === 0 || /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(release)) return undefined;
  const better = labelOf(release.replace(/^([^a-z])/i, 'r$1'), releaseCharactersMax);
  return `Release "${release}": names of Services begin with it, so it must have lower-case letters, digits and "-" only, and begin with a letter; name it "${better}", for example.`;
}

/** The shortest room of the names above. */
const releaseCharactersMax = 40;

function entryFaults(index: number, entry: ModelEntry, release: string): ChartFault[] {
  const base = ['servingEngineSpec', 'modelSpec', index] as const;
  const { name, initContainer, raySpec } = entry;
  const isOnRay = raySpec?.enabled === true;
  const room = Math.max(
    1,
    isOnRay
      ? rayCharactersMax - release.length - '--raycluster'.length
      : labelCharactersMax - release.length - addedCharacters,
  );
  const bound = isOnRay ? `KubeRay allows at most ${room}` : `at most ${room} characters`;
  const faults: ChartFault[] = [];
  if (name.length > room || !dnsLabel.test(name)) {
    faults.push(
      valueFault(
        [...base, 'name'],
        `"${name}" cannot be part of names in Kubernetes, which have lower-case letters, digits and "-", and with the release "${release}" ${bound} here; use "${labelOf(name, room)}": clients use modelURL or --served-model-name, which stay`,
      ),
    );
  }
  const containers = [
    [['initContainer'], initContainer],
    [['raySpec', 'headNode', 'initContainer'], raySpec?.headNode?.initContainer],
  ] as const;
  for (const [keys, container] of containers) {
    const given = container?.name;
    if (given === undefined) continue;
    const isTaken = ['vllm', 'sidecar'].includes(given);
    if (!isTaken && dnsLabel.test(given) && given.length <= labelCharactersMax) continue;
    faults.push(
      valueFault(
        [...base, ...keys, 'name'],
        `"${given}" cannot be the name of an init container; use "${labelOf(`init-${given}`, labelCharactersMax)}"`,
      ),
    );
  }
  for (const key of ['serviceAccountName', 'priorityClassName', 'pvcExistingClaimName'] as const) {
    const given = entry[key] ?? '';
    if (given === '' || (dnsName.test(given) && given.length <= nameCharactersMax)) continue;
    faults.push(
      valueFault(
        [...base, key],
        `"${given}" cannot be the name of an object in Kubernetes; correct it`,
      ),
    );
  }
  return faults;
}

/** The closest label of DNS, as the chart writes it. */
function labelOf(name: string, charactersMax: number): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return plain.slice(0, charactersMax).replace(/-+$/, '') || 'model';
}
