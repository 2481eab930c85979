// One whole list of an API server, page by page.
import { objectsMax } from '../../core/kubernetes/index.ts';
import { ApiStatusError } from './api-request.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { listPages } from './list-pages.ts';

export interface WantedList {
  /** `/api/v1/namespaces/default/pods` */
  readonly path: string;
  readonly labelSelector?: string | undefined;
}

/** Objects of a page, as kubectl asks for them. @see https://kubernetes.io/docs/reference/kubectl/generated/kubectl_get/ */
const pageObjects = 500;
/** A `continue` lives as long as etcd keeps versions, 5 minutes; a list that expires this often changes too fast to be read. */
const attemptsMax = 3;
const headTimeoutMs = 30_000;

/**
 * @throws {ApiStatusError} If the status is not one of success.
 * @throws {ClusterProtocolError} If the list never ends, or is none.
 * @throws {RangeError} If it has too many objects.
 */
export async function listAll<T>(access: ClusterAccess, wanted: WantedList): Promise<readonly T[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readPages<T>(access, wanted);
    } catch (error) {
      const isExpired = error instanceof ApiStatusError && error.status === 410;
      if (!isExpired || attempt === attemptsMax) throw error;
    }
  }
}

async function readPages<T>(
  access: ClusterAccess,
  { path, labelSelector }: WantedList,
): Promise<readonly T[]> {
  const all: T[] = [];
  const pages = listPages({
    ...{ access, path, labelSelector, pageObjects, headTimeoutMs },
    read: (object) => object as T,
    signal: new AbortController().signal,
  });
  for await (const { objects } of pages) {
    for (const [, object] of objects) all.push(object);
    if (all.length > objectsMax)
      throw new RangeError(`${path} lists more than ${objectsMax} objects`);
  }
  return all;
}
