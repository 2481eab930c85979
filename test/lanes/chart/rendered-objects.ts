// Finds in rendered objects what an API server would refuse although each field is well-formed: what is there twice, names that are too
// long, references into the same pod or Service that lead nowhere, and texts that are numbers or booleans.

/** Any object of Kubernetes. */
// biome-ignore lint/suspicious/noExplicitAny: the checker looks into objects of all kinds
type Plain = Readonly<Record<string, any>>;

/** Returns one sentence for each fault; none for objects that fit together. */
export function faultsOf(objects: readonly Plain[]): readonly string[] {
  return [
    ...repeated(
      objects.map(({ kind, apiVersion = '', metadata }) =>
        [`${apiVersion}`.split('/')[0], kind, metadata.namespace, metadata.name].join(' '),
      ),
    ).map((id) => `the object ${id} is there twice`),
    ...objects.flatMap((object) => {
      const name = `${object['kind']} ${object['metadata'].name}`;
      return [
        ...nameFaults(object),
        ...labelFaults(object['metadata']),
        ...(object['kind'] === 'Service' ? serviceFaults(object, objects) : []),
        ...(object['kind'] === 'ConfigMap' ? textFaults('data', object['data']) : []),
        ...podTemplatesOf(object).flatMap(podFaults),
      ].map((sentence) => `${name}: ${sentence}`);
    }),
    ...budgetFaults(objects),
  ];
}

function repeated(names: readonly unknown[]): readonly unknown[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

const label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const containerLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const key = /^[-._a-zA-Z0-9]+$/;

function nameFaults({ kind, metadata, data = {} }: Plain): readonly string[] {
  const name = metadata.name as string;
  const isLabel = kind === 'Service';
  const max = isLabel ? 63 : kind === 'CronJob' ? 52 : 253;
  return [
    ...(name.length > max ? [`its name has ${name.length} characters, at most ${max}`] : []),
    ...((isLabel ? label : subdomain).test(name) || /Role/.test(kind)
      ? []
      : ['its name has characters that Kubernetes refuses']),
    ...Object.keys(data)
      .filter((one) => !key.test(one))
      .map((one) => `the key ${one} has characters that Kubernetes refuses`),
  ];
}

function labelFaults({ labels = {}, annotations = {} }: Plain): readonly string[] {
  return [
    ...textFaults('labels', labels),
    ...textFaults('annotations', annotations),
    ...Object.entries(labels)
      .filter(([, value]) => typeof value === 'string')
      .filter(([, value]) => !labelValue.test(value as string) || (value as string).length > 63)
      .map(([name, value]) => `the label ${name} cannot be ${JSON.stringify(value)}`),
  ];
}

function textFaults(where: string, map: Plain = {}): readonly string[] {
  return Object.entries(map ?? {})
    .filter(([, value]) => typeof value !== 'string')
    .map(([name, value]) => `${where}.${name} is ${JSON.stringify(value)}, not a text`);
}

function serviceFaults({ metadata, spec }: Plain, objects: readonly Plain[]): readonly string[] {
  const ports = (spec.ports ?? []) as readonly Plain[];
  const pods = objects
    .flatMap(podTemplatesOf)
    .filter((pod) => isSelected(spec.selector ?? {}, pod['metadata']?.labels ?? {}));
  const known = new Set(
    pods.flatMap((pod) => containersOf(pod).flatMap(({ ports = [] }) => ports.map(nameOf))),
  );
  return [
    ...repeated(ports.map(nameOf)).map((name) => `the name ${name} of a port is there twice`),
    ...repeated(ports.map(({ port, protocol = 'TCP' }) => `${port}/${protocol}`)).map(
      (id) => `the port ${id} is there twice`,
    ),
    ...repeated(ports.map(({ nodePort }) => nodePort).filter(Boolean)).map(
      (port) => `the node port ${port} is there twice`,
    ),
    ...(ports.length > 1 ? ports.filter(({ name }) => !name) : []).map(
      ({ port }) => `the port ${port} lacks a name`,
    ),
    ...ports
      .map(({ targetPort }) => targetPort)
      .filter((target) => typeof target === 'string' && pods.length > 0 && !known.has(target))
      .map((target) => `targetPort ${target} is no port of its pods (${metadata.name})`),
  ];
}

const nameOf = ({ name }: Plain): unknown => name;

/** Templates of the pods that an object creates, with their labels. */
export function podTemplatesOf({ kind, spec }: Plain): readonly Plain[] {
  switch (kind) {
    case 'Deployment':
    case 'StatefulSet':
    case 'DaemonSet':
    case 'Job':
      return [spec.template];
    case 'CronJob':
      return [spec.jobTemplate.spec.template];
    case 'RayCluster':
      return [spec.headGroupSpec, ...spec.workerGroupSpecs].map(({ template }) => template);
    default:
      return [];
  }
}

function containersOf({ spec }: Plain): readonly Plain[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

function podFaults(pod: Plain): readonly string[] {
  const containers = containersOf(pod);
  const volumes = ((pod['spec'].volumes ?? []) as readonly Plain[]).map(nameOf);
  const running = pod['spec'].containers as readonly Plain[];
  return [
    ...labelFaults(pod['metadata'] ?? {}),
    ...textFaults('nodeSelector', pod['spec'].nodeSelector),
    ...repeated(containers.map(nameOf)).map((name) => `the container ${name} is there twice`),
    ...[...containers.map(nameOf), ...volumes]
      .filter((name) => `${name}`.length > 63 || !containerLabel.test(`${name}`))
      .map((name) => `${name} cannot be the name of a container or a volume`),
    ...repeated(volumes).map((name) => `the volume ${name} is there twice`),
    ...repeated(running.flatMap(({ ports = [] }) => ports.map(portId))).map(
      (id) => `the port ${id} is there twice in one pod`,
    ),
    ...((pod['spec'].tolerations ?? []) as readonly Plain[])
      .filter(({ value }) => value !== undefined && typeof value !== 'string')
      .map(({ value }) => `the value ${value} of a toleration is not a text`),
    ...containers.flatMap((container) =>
      containerFaults(container, volumes).map((sentence) => `${container['name']}: ${sentence}`),
    ),
  ];
}

const portId = ({ containerPort, protocol = 'TCP' }: Plain): string =>
  `${containerPort}/${protocol}`;

function containerFaults(container: Plain, volumes: readonly unknown[]): readonly string[] {
  const { env = [], ports = [], volumeMounts = [], command = [], args = [] } = container;
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'];
  return [
    ...repeated(env.map(nameOf)).map((name) => `the variable ${name} is there twice`),
    ...env
      .filter(({ value }: Plain) => value !== undefined && typeof value !== 'string')
      .map(({ name, value }: Plain) => `the variable ${name} is ${value}, not a text`),
    ...repeated(ports.map(nameOf)).map((name) => `the name ${name} of a port is there twice`),
    ...ports
      .filter(({ name = 'a' }: Plain) => name.length > 15 || !containerLabel.test(name))
      .map(({ name }: Plain) => `a port cannot be named ${name}`),
    ...repeated(volumeMounts.map(({ mountPath }: Plain) => mountPath)).map(
      (path) => `two volumes are mounted at ${path}`,
    ),
    ...volumeMounts
      .filter(({ name }: Plain) => !volumes.includes(name))
      .map(({ name }: Plain) => `the volume ${name} is mounted, but not there`),
    ...[...command, ...args]
      .filter((word) => typeof word !== 'string')
      .map((word) => `the argument ${word} is not a text`),
    ...probes.flatMap((probe) =>
      Object.entries(container[probe] ?? {})
        .filter(([name, value]) => /Seconds|Threshold/.test(name) && !Number.isInteger(value))
        .map(([name, value]) => `${probe}.${name} is ${JSON.stringify(value)}, not a number`),
    ),
  ];
}

function isSelected(wanted: Plain, labels: Plain): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

/** Kubernetes does not evict a pod that two budgets select. */
function budgetFaults(objects: readonly Plain[]): readonly string[] {
  const budgets = objects.filter(({ kind }) => kind === 'PodDisruptionBudget');
  return objects.flatMap((object) =>
    podTemplatesOf(object).flatMap((pod) => {
      const labels = (pod['metadata']?.labels ?? {}) as Plain;
      const found = budgets.filter(({ spec: { selector = {} } }) => {
        const { matchLabels = {}, matchExpressions = [] } = selector;
        return (
          isSelected(matchLabels, labels) &&
          matchExpressions.every(({ key: name, values }: Plain) => values.includes(labels[name]))
        );
      });
      return found.length > 1
        ? [
            `${object['kind']} ${object['metadata'].name}: ${found.length} budgets select its pods, which could then not be evicted`,
          ]
        : [];
    }),
  );
}
