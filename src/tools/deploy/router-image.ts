// Whether nodes can have the image of the router: Spillway's own, the one image of a stack that users build and push themselves.
import { type ImageReference, type RegistryLogin, registryUrl } from '../../core/deploy/index.ts';
import { listAt } from '../../core/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import { DeployError } from './deploy-error.ts';
import type { StackImage } from './image-list.ts';
import { Registry } from './registry.ts';

/** A registry that does not respond by then is not asked further: nodes may reach it nevertheless. */
const registryTimeoutMs = 5_000;
/** Nodes whose images are read; they are alike where images were loaded by hand. */
const nodesMax = 100;

export interface RouterImageCheck {
  readonly images: readonly StackImage[];
  readonly cluster: Pick<Cluster, 'get'>;
  readonly signal?: AbortSignal | undefined;
  /** Where a registry is asked. @default https at its name */
  readonly urlOf?: (registry: string) => string;
  /** The user's login for a registry. @default none */
  readonly loginOf?: (registry: string) => Promise<RegistryLogin | undefined>;
}

/**
 * Looks for the image on the nodes, then in its registry.
 *
 * @returns Where it is, or why that is not known, as one line; undefined if the stack has no router.
 * @throws {DeployError} If no node has it, and its registry says that it does not have it either.
 */
export async function checkRouterImage(check: RouterImageCheck): Promise<string | undefined> {
  const { images, cluster } = check;
  const image = images.find(({ usedBy }) =>
    usedBy.some((name) => /-deployment-router$/.test(name)),
  );
  if (image === undefined) return undefined;
  const nodes = await imagesOfNodes(cluster);
  const having = nodes.filter((names) => names.includes(image.reference.name)).length;
  if (having > 0) return `image ${image.written}: on ${having} of ${nodes.length} nodes`;
  const { has, reason } = await askRegistry(image.reference, check);
  if (has === true) return `image ${image.written}: ${reason}`;
  // Without their lists, a node may have it.
  if (has === undefined || nodes.length === 0) {
    return `image ${image.written}: whether it exists is not known: ${reason}`;
  }
  throw new DeployError(
    `The image of the router, ${image.written}, is on none of ${nodes.length} nodes, and ${reason}. ` +
      'Build it and push it to a registry that the nodes reach, and set spillway.image.repository and spillway.image.tag.',
  );
}

/** Names of the images of each node that tells them; none without the right to list nodes. */
async function imagesOfNodes(cluster: Pick<Cluster, 'get'>): Promise<readonly string[][]> {
  const list = await cluster.get(`/api/v1/nodes?limit=${nodesMax}`).catch(() => undefined);
  return listAt(list, 'items')
    .map((node) =>
      listAt(node, 'status', 'images').flatMap((one) => listAt(one, 'names').map(String)),
    )
    .filter((names) => names.length > 0);
}

async function askRegistry(
  image: ImageReference,
  { signal, urlOf = registryUrl, loginOf = async () => undefined }: RouterImageCheck,
): Promise<{ readonly has: boolean | undefined; readonly reason: string }> {
  const { registry, repository } = image;
  if (registry === 'localhost') {
    return { has: false, reason: 'localhost is no registry that nodes could pull it from' };
  }
  if (registry === 'docker.io' && repository.startsWith('library/')) {
    return { has: false, reason: 'its name has no registry' };
  }
  try {
    const login = await loginOf(registry);
    const asked = new Registry({ url: urlOf(registry), isInsecure: false, login }, signal);
    const { status, problem } = await asked.find(image, registryTimeoutMs);
    if (problem === '') return { has: true, reason: `${registry} has it` };
    return { has: status === 404 ? false : undefined, reason: `${registry}: ${problem}` };
  } catch (error) {
    signal?.throwIfAborted();
    return {
      has: undefined,
      reason: error instanceof Error ? error.message.replace(/\.$/, '') : '',
    };
  }
}
