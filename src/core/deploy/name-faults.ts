// Finds names and labels that Kubernetes would refuse, each with one that would do. The chart refuses the same (templates/_names.tpl).
import type { EngineKind, ModelEntry, Values } from '../values/index.ts';
import type { ChartFault } from './chart-faults.ts';

/** The release that `spillway deploy` makes unless it is told another name. */
const defaultRelease = 'vllm';

/** A label of DNS: names of Services, containers and volumes. */
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** Names of most other objects. */
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const configKey = /^[-._a-zA-Z0-9]{1,253}$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const labelCharactersMax = 63;
const nameCharactersMax = 253;
/** What the chart adds to release and entry: RELEASE-NAME-engine-service, RELEASE-NAME-chat-templates. */
const addedCharacters = '--engine-service'.length;

/** @param kindOf What an entry runs on Kubernetes. */
export function nameFaults(
  values: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
  release: string = defaultRelease,
): readonly ChartFault[] {
  const { enableEngine, modelSpec, configs } = values.servingEngineSpec;
  const entries = enableEngine
    ? [...modelSpec.entries()].filter(([, entry]) => entry.enabled && kindOf(entry) !== 'url')
    : [];
  return [
    ...entries.flatMap(([index, entry]) => entryFaults(index, entry, release)),
    ...Object.keys(configs).flatMap((key) =>
      configKey.test(key)
        ? []
        : [
            fault(
              ['servingEngineSpec', 'configs', key],
              `"${key}" becomes a key in Kubernetes, which has letters, digits, "-", "_" and "." only; use "${key.replace(/[^-._a-zA-Z0-9]+/g, '-')}"`,
            ),
          ],
    ),
    ...[...values.loraAdapters.entries()].flatMap(([index, { name, enabled }]) =>
      !enabled || (dnsName.test(name) && name.length <= nameCharactersMax)
        ? []
        : [
            fault(
              ['loraAdapters', index, 'name'],
              `"${name}" cannot be the name of an object in Kubernetes; use "${labelOf(name, labelCharactersMax)}": clients use adapterSource.adapterName, which stays`,
            ),
          ],
    ),
    ...labelFaults(['servingEngineSpec', 'labels'], values.servingEngineSpec.labels),
    ...labelFaults(['routerSpec', 'labels'], values.routerSpec.labels),
    ...labelFaults(['cacheserverSpec', 'labels'], values.cacheserverSpec.labels),
  ];
}

function entryFaults(index: number, entry: ModelEntry, release: string): ChartFault[] {
  const base = ['servingEngineSpec', 'modelSpec', index] as const;
  const { name, initContainer, raySpec } = entry;
  const room = Math.max(1, labelCharactersMax - release.length - addedCharacters);
  const faults: ChartFault[] = [];
  if (name.length > room || !dnsLabel.test(name)) {
    faults.push(
      fault(
        [...base, 'name'],
        `"${name}" cannot be part of names in Kubernetes, which have lower-case letters, digits and "-", and with the release "${release}" at most ${room} characters here; use "${labelOf(name, room)}": clients use modelURL or --served-model-name, which stay`,
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
      fault(
        [...base, ...keys, 'name'],
        `"${given}" cannot be the name of an init container; use "${labelOf(`init-${given}`, labelCharactersMax)}"`,
      ),
    );
  }
  for (const key of ['serviceAccountName', 'priorityClassName', 'pvcExistingClaimName'] as const) {
    const given = entry[key] ?? '';
    if (given === '' || (dnsName.test(given) && given.length <= nameCharactersMax)) continue;
    faults.push(
      fault([...base, key], `"${given}" cannot be the name of an object in Kubernetes; correct it`),
    );
  }
  return [
    ...faults,
    ...labelFaults([...base, 'labels'], entry.labels ?? {}),
    ...labelFaults([...base, 'podLabels'], entry.podLabels ?? {}),
    ...labelFaults([...base, 'nodeSelector'], entry.nodeSelector ?? {}),
  ];
}

/** @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
function labelFaults(
  path: ChartFault['path'],
  labels: Readonly<Record<string, string>>,
): ChartFault[] {
  return Object.entries(labels).flatMap(([key, value]) =>
    labelValue.test(value) && value.length <= labelCharactersMax
      ? []
      : [
          fault(
            [...path, key],
            `"${shortened(value)}" cannot be the value of a label, which has at most ${labelCharactersMax} letters, digits, "-", "_" and ".", with a letter or digit at both ends; use an annotation for other texts`,
          ),
        ],
  );
}

function shortened(text: string): string {
  return text.length > labelCharactersMax ? `${text.slice(0, labelCharactersMax)}…` : text;
}

function fault(path: ChartFault['path'], rest: string): ChartFault {
  const name = path.reduce<string>(
    (text, step) =>
      typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${step}`,
    '',
  );
  return { path, sentence: `${name} ${rest}` };
}

/** The closest label of DNS, as the chart writes it. */
function labelOf(name: string, charactersMax: number): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return plain.slice(0, charactersMax).replace(/-+$/, '') || 'model';
}
