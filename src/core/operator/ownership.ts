// Which objects of the cluster were made for a resource, and what follows where another one has the name that it needs: such an
// object is never changed or removed, and what would use it unasked waits.
import {
  type KubernetesObject,
  type ObjectReference,
  type Owner,
  referenceTo,
} from './kubernetes-object.ts';

/** An object that has the name of one that a resource needs, and was not made for it. */
export interface Conflict {
  readonly object: ObjectReference;
  /** What it is and what to do, in a sentence. */
  readonly message: string;
  /** A service account that the resource names: used as it is. */
  readonly isUsed: boolean;
}

export interface Claimed {
  /** What can be applied without touching an object of somebody else, or using one unasked. */
  readonly free: readonly KubernetesObject[];
  readonly conflicts: readonly Conflict[];
}

/** Conflicts that a condition describes; it counts the others. */
const describedMax = 3;

/** Whether the resource is the object's controller: an object has one at most, so it is nobody else's. */
export function isMadeFor({ metadata }: KubernetesObject, { metadata: owner }: Owner): boolean {
  return (
    metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === owner.uid) ??
    false
  );
}

/**
 * @param wanted The objects of the resource.
 * @param observed Those that exist, at least all that have one of their names.
 * @param account The service account that the resource names itself.
 */
export function claimed(
  owner: Owner,
  wanted: readonly KubernetesObject[],
  observed: readonly KubernetesObject[],
  account?: string | undefined,
): Claimed {
  const taken = new Map<string, KubernetesObject>();
  for (const object of wanted) {
    const found = observed.find((one) => keyOf(one) === keyOf(object));
    if (found !== undefined && !isMadeFor(found, owner)) taken.set(keyOf(object), found);
  }
  const named = account ? `ServiceAccount ${account}` : undefined;
  const conflicts = Array.from(taken, ([key, found]) => conflictWith(owner, found, key === named));
  const unusable = new Set([...taken.keys()].filter((key) => key !== named));
  const free = wanted.filter(
    (object) => !taken.has(keyOf(object)) && !usedBy(object).some((key) => unusable.has(key)),
  );
  return { free, conflicts };
}

/** What the conflicts are, as the message of a condition. */
export function conflictMessage(conflicts: readonly Conflict[]): string {
  const described = conflicts.slice(0, describedMax).map(({ message }) => message);
  const rest = conflicts.length - described.length;
  return [...described, ...(rest > 0 ? [`${rest} more objects are in the way.`] : [])].join(' ');
}

function conflictWith(owner: Owner, found: KubernetesObject, isUsed: boolean): Conflict {
  const object = referenceTo(found, owner.metadata.namespace);
  const { ownerReferences = [] } = found.metadata;
  const holder = ownerReferences.find(({ controller }) => controller) ?? ownerReferences[0];
  const whose =
    holder === undefined
      ? 'and was not made for this resource'
      : `and belongs to ${holder.kind} ${holder.name} (uid ${holder.uid})`;
  const outcome = isUsed
    ? 'The pods run with this account; it is never changed or removed.'
    : 'It is left as it is. Delete or rename it, or give this resource another name.';
  const message = `${found.kind} ${object.namespace}/${object.name} exists ${whose}. ${outcome}`;
  return { object, message, isUsed };
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}

interface PodTemplate {
  readonly spec?: {
    readonly serviceAccountName?: string;
    readonly volumes?: readonly {
      readonly persistentVolumeClaim?: { readonly claimName: string };
      readonly configMap?: { readonly name: string };
    }[];
  };
}

/** The objects that an object has pods use, or grants rights to or from. */
function usedBy(object: KubernetesObject): readonly string[] {
  if (object.kind === 'RoleBinding') {
    const { roleRef, subjects } = object as unknown as {
      readonly roleRef: { readonly kind: string; readonly name: string };
      readonly subjects: readonly { readonly kind: string; readonly name: string }[];
    };
    return [roleRef, ...subjects].map(({ kind, name }) => `${kind} ${name}`);
  }
  const { template } = (object['spec'] ?? {}) as { readonly template?: PodTemplate };
  const { serviceAccountName, volumes = [] } = template?.spec ?? {};
  return [
    ...(serviceAccountName === undefined ? [] : [`ServiceAccount ${serviceAccountName}`]),
    ...volumes.flatMap(({ persistentVolumeClaim: claim, configMap }) => [
      ...(claim === undefined ? [] : [`PersistentVolumeClaim ${claim.claimName}`]),
      ...(configMap === undefined ? [] : [`ConfigMap ${configMap.name}`]),
    ]),
  ];
}
