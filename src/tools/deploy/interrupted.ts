// What a deployment that was interrupted has left, and how to go on.
import { Cluster } from './cluster.ts';
import { type Release, readReleases } from './release.ts';

/** Of the one question that is asked after Ctrl-C. */
const timeoutMs = 5_000;

export interface InterruptedRelease {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly release: string;
}

/** A line for people. The cluster is asked once more, though the command has been stopped. */
export async function interruptedLine(options: InterruptedRelease): Promise<string> {
  const { namespace, release } = options;
  const cluster = new Cluster(options.cluster.access, { timeoutMs });
  try {
    return interruptedText(options, await readReleases(cluster, namespace, release));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `interrupted; what Helm has recorded of ${release} cannot be read: ${why}`;
  }
}

/** @param revisions Oldest first. */
export function interruptedText(
  { namespace, release }: Pick<InterruptedRelease, 'namespace' | 'release'>,
  revisions: readonly Pick<Release, 'revision' | 'status'>[],
): string {
  const last = revisions.at(-1);
  const where = `-n ${namespace} --release ${release}`;
  if (last === undefined) return `interrupted: Helm has recorded no release ${release}.`;
  const { revision, status } = last;
  if (status === 'deployed') {
    return `interrupted: release ${release} is deployed (revision ${revision}), and its pods go on starting: "spillway status ${where}" shows them.`;
  }
  const good = revisions.findLast(
    (one) => one.revision < revision && /^(superseded|deployed)$/.test(one.status),
  );
  const back =
    good === undefined
      ? `"spillway teardown ${where}" removes it`
      : `"helm rollback ${release} ${good.revision} -n ${namespace}" goes back to revision ${good.revision}`;
  const isBlocked = status.startsWith('pending-');
  const next = isBlocked
    ? `It blocks the next deployment: ${back}.`
    : `The same "spillway deploy" goes on, with --rollback it undoes what does not serve; ${back}.`;
  return `interrupted: release ${release} is ${status} (revision ${revision}). ${next}`;
}
