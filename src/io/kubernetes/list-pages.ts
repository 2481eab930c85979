// The pages of one list, as long as they are: a page of large objects is asked for again with fewer of them.
import {
  type ListPage,
  PageTokens,
  parseListPage,
  type ReadObject,
} from '../../core/kubernetes/index.ts';
import { apiGet, readText, TooLargeError } from './api-request.ts';
import type { ClusterAccess } from './cluster-access.ts';

export interface WantedPages<T> {
  readonly access: ClusterAccess;
  /** `/api/v1/namespaces/default/pods` */
  readonly path: string;
  readonly labelSelector?: string | undefined;
  readonly read: ReadObject<T>;
  /** Most objects of a page. */
  readonly pageObjects: number;
  readonly signal: AbortSignal;
  /** Maximum wait for the head of a response. */
  readonly headTimeoutMs: number;
}

/** 100 pods are about a megabyte of JSON, which takes 10 ms to parse. One object has at most 1.5 MiB in etcd, and a few times that as JSON. */
const pageBytesMax = 8 * 1_048_576;
const pageTimeoutMs = 30_000;
/** After a page that is too large, the next one has this share of its objects; after one that is not, twice as many. */
const smaller = 1 / 4;

/**
 * @throws {ApiStatusError} If a status is not one of success.
 * @throws {ClusterProtocolError} If the list never ends, or is none.
 * @throws {Error} If a response is late, or one object alone is larger than 8 MiB.
 */
export async function* listPages<T>(wanted: WantedPages<T>): AsyncGenerator<ListPage<T>> {
  const { access, path, labelSelector = '', read, signal, headTimeoutMs } = wanted;
  const pages = new PageTokens();
  let limit = wanted.pageObjects;
  let continueToken: string | undefined;
  for (;;) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (labelSelector !== '') query.set('labelSelector', labelSelector);
    if (continueToken !== undefined) query.set('continue', continueToken);
    const response = await apiGet(access, { path: `${path}?${query}`, signal, headTimeoutMs });
    const limits = { signal, timeoutMs: pageTimeoutMs, bytesMax: pageBytesMax };
    let text: string;
    try {
      text = await readText(response, limits);
    } catch (error) {
      if (!(error instanceof TooLargeError) || limit === 1) throw error;
      limit = Math.max(1, Math.floor(limit * smaller));
      continue;
    }
    const page = parseListPage(text, read);
    yield page;
    continueToken = pages.next(page.continueToken);
    if (continueToken === undefined) return;
    limit = Math.min(wanted.pageObjects, 2 * limit);
  }
}
