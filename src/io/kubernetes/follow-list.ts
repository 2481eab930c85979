// Keeps one list of an API server current: does what a WatchedList decides, with sockets and deadlines.
import type { IncomingMessage } from 'node:http';
import {
  ClusterProtocolError,
  parseWatchEvent,
  type ReadObject,
  type StepEnd,
  type WatchedList,
} from '../../core/kubernetes/index.ts';
import { ApiStatusError, apiGet } from './api-request.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { listPages } from './list-pages.ts';

export interface FollowedListOptions<T> {
  readonly access: ClusterAccess;
  /** `/api/v1/namespaces/default/pods` */
  readonly path: string;
  /** @default '' */
  readonly labelSelector?: string | undefined;
  readonly read: ReadObject<T>;
  readonly list: WatchedList<T>;
  /** After each page of a complete list and after each piece of a watch that may have changed the objects. */
  readonly onChange: () => void;
  /** A step failed, with the reason; the objects stay as they were. */
  readonly onFailure: (reason: Error) => void;
  /** The API server serves the list or the watch. */
  readonly onServed: () => void;
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  /** Maximum wait for the head of a response. @default 10000 */
  readonly headTimeoutMs?: number | undefined;
}

/** Objects of a page: 100 pods are about a megabyte of JSON, which takes 10 ms to parse. */
const pageObjects = 100;
/** Objects are at most 1.5 MiB in etcd; JSON for people is longer. */
const eventBytesMax = 4 * 1_048_576;
/** Time past its end after which a watch counts as broken, because nobody has ended it. */
const overdueMs = 10_000;

/** Follows the list until the signal is aborted. Never throws: failures are reported and tried again. */
export async function followList<T>(options: FollowedListOptions<T>): Promise<void> {
  const { list, signal, wait, onFailure } = options;
  while (!signal.aborted) {
    const step = list.next();
    if (step.pauseSeconds > 0) await wait(step.pauseSeconds * 1000, signal);
    if (signal.aborted) return;
    try {
      if (step.kind === 'list') await readList(options);
      else await readWatch(options, step);
      list.end('over');
      if (step.kind === 'list') options.onChange();
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error : new Error(String(error));
      if (isExpired(reason)) list.served();
      const seconds = reason instanceof ApiStatusError ? reason.retryAfterSeconds : 0;
      list.end(endOf(reason), seconds);
      // What follows at once is part of the protocol; only if that fails, something is wrong.
      if (!isExpired(reason) && !(reason instanceof BrokenWatchError)) onFailure(reason);
    }
  }
}

/** The API server ended a watch with an error. */
class WatchEndedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(`status ${status}: ${message}`);
    this.status = status;
  }
}

/** The connection of a watch broke, or is silent past its end. */
class BrokenWatchError extends Error {
  readonly isOverdue: boolean;

  constructor(isOverdue: boolean, options?: ErrorOptions) {
    super('the watch broke', options);
    this.isOverdue = isOverdue;
  }
}

async function readList<T>(options: FollowedListOptions<T>): Promise<void> {
  const { access, path, labelSelector, read, list, signal, onServed } = options;
  const { headTimeoutMs = 10_000 } = options;
  const wanted = { access, path, labelSelector, read, pageObjects, signal, headTimeoutMs };
  for await (const page of listPages(wanted)) {
    list.served();
    list.addPage(page);
  }
  onServed();
}

async function readWatch<T>(
  options: FollowedListOptions<T>,
  step: { readonly resourceVersion: string; readonly timeoutSeconds: number },
): Promise<void> {
  const { access, path, labelSelector = '', signal, wait, headTimeoutMs = 10_000 } = options;
  const query = new URLSearchParams({
    ...{ watch: '1', allowWatchBookmarks: 'true', resourceVersion: step.resourceVersion },
    timeoutSeconds: String(step.timeoutSeconds),
  });
  if (labelSelector !== '') query.set('labelSelector', labelSelector);
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  try {
    const response = await apiGet(access, { path: `${path}?${query}`, signal, headTimeoutMs });
    options.list.served();
    options.onServed();
    const overdue = wait(step.timeoutSeconds * 1000 + overdueMs, ended).then(() => {
      if (ended.aborted) return;
      response.destroy(new BrokenWatchError(true));
    });
    const abort = () => response.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await readEvents(options, response);
    } catch (error) {
      if (isOurs(error)) throw error;
      throw new BrokenWatchError(false, { cause: error });
    } finally {
      signal.removeEventListener('abort', abort);
      over.abort();
      await overdue;
    }
  } finally {
    over.abort();
  }
}

async function readEvents<T>(
  { read, list, onChange }: FollowedListOptions<T>,
  response: IncomingMessage,
): Promise<void> {
  /** The beginning of a line whose end has not arrived. */
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let from = 0;
    let isChanged = false;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...pieces, chunk.subarray(from, end)]).toString();
      [pieces, bytes, from] = [[], 0, end + 1];
      if (line.trim() === '') continue;
      const event = parseWatchEvent(line, read);
      if (event.kind === 'error') {
        if (isChanged) onChange();
        throw new WatchEndedError(event.status, event.message);
      }
      list.apply(event);
      isChanged ||= event.kind !== 'bookmark';
    }
    if (isChanged) onChange();
    pieces.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > eventBytesMax) {
      throw new ClusterProtocolError(
        `the API server sent an event of more than ${eventBytesMax} bytes`,
      );
    }
  }
}

/** Whether it says what the API server did; anything else is a failure of the connection. */
function isOurs(error: unknown): boolean {
  return [WatchEndedError, BrokenWatchError, ClusterProtocolError, RangeError].some(
    (kind) => error instanceof kind,
  );
}

function isExpired(reason: Error): boolean {
  return (
    (reason instanceof WatchEndedError || reason instanceof ApiStatusError) && reason.status === 410
  );
}

function endOf(reason: Error): StepEnd {
  if (reason instanceof BrokenWatchError) return reason.isOverdue ? 'stale' : 'lost';
  if (reason instanceof WatchEndedError || reason instanceof ClusterProtocolError) return 'stale';
  if (reason instanceof RangeError) return 'stale';
  if (!(reason instanceof ApiStatusError)) return 'lost';
  // 504 says that the server does not know the version yet; other statuses of the client say that it never will.
  const { status } = reason;
  const isRefusal = status === 401 || status === 403 || status === 429;
  return status === 504 || (status >= 400 && status < 500 && !isRefusal) ? 'stale' : 'lost';
}
