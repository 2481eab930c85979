// What an API server sends: pages of a list, and the events of a watch.
import { SpillwayError } from '../base/index.ts';
import { at, listAt, textAt } from './json-fields.ts';

/** Keeps what is needed of an object, so that a thousand pods take kilobytes instead of megabytes; nothing of one that is left out. */
export type ReadObject<T> = (object: unknown) => T | undefined;

export interface ListPage<T> {
  readonly objects: readonly (readonly [key: string, object: T])[];
  /** The state of the cluster that the list shows; a watch goes on from there. */
  readonly resourceVersion: string;
  /** Where the next page begins; undefined on the last one. */
  readonly continueToken: string | undefined;
}

export type WatchEvent<T> =
  | {
      readonly kind: 'applied';
      readonly key: string;
      readonly object: T;
      readonly resourceVersion: string;
    }
  | { readonly kind: 'deleted'; readonly key: string; readonly resourceVersion: string }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  | { readonly kind: 'error'; readonly status: number; readonly message: string };

/** The API server sent something that is not its protocol. */
export class ClusterProtocolError extends SpillwayError {
  override readonly name = 'ClusterProtocolError';
  readonly code = 'ERR_CLUSTER_PROTOCOL';
}

/** @throws {ClusterProtocolError} If it is not a page of a list. */
export function parseListPage<T>(text: string, read: ReadObject<T>): ListPage<T> {
  const page = parseJson(text, 'a list');
  const items = at(page, 'items');
  const resourceVersion = textAt(page, 'metadata', 'resourceVersion');
  // A list without items is `null` in Go's JSON.
  if (resourceVersion === '' || !(Array.isArray(items) || items === null)) {
    throw new ClusterProtocolError('the API server sent a list without items or version');
  }
  return {
    objects: listAt(page, 'items').flatMap((item) => {
      const object = read(item);
      return object === undefined ? [] : [[keyOf(item), object] as const];
    }),
    resourceVersion,
    continueToken: textAt(page, 'metadata', 'continue') || undefined,
  };
}

/** @throws {ClusterProtocolError} If it is not an event of a watch. */
export function parseWatchEvent<T>(line: string, read: ReadObject<T>): WatchEvent<T> {
  const event = parseJson(line, 'a watch');
  const object = at(event, 'object');
  const kind = textAt(event, 'type');
  if (kind === 'ERROR') {
    return { kind: 'error', status: Number(at(object, 'code')) || 0, message: messageOf(object) };
  }
  const resourceVersion = textAt(object, 'metadata', 'resourceVersion');
  if (resourceVersion === '') {
    throw new ClusterProtocolError('the API server sent an event without a version');
  }
  switch (kind) {
    case 'ADDED':
    case 'MODIFIED': {
      const key = keyOf(object);
      const kept = read(object);
      return kept === undefined
        ? { kind: 'deleted', key, resourceVersion }
        : { kind: 'applied', key, object: kept, resourceVersion };
    }
    case 'DELETED':
      return { kind: 'deleted', key: keyOf(object), resourceVersion };
    case 'BOOKMARK':
      return { kind: 'bookmark', resourceVersion };
    default:
      throw new ClusterProtocolError(`the API server sent an event of type "${kind.slice(0, 32)}"`);
  }
}

/** The sentence of a Status object, as API servers send it for errors; '' if the text is none. */
export function statusMessage(text: string): string {
  try {
    return messageOf(JSON.parse(text));
  } catch {
    return '';
  }
}

const messageCharactersMax = 300;

function messageOf(status: unknown): string {
  return textAt(status, 'message').slice(0, messageCharactersMax);
}

function keyOf(object: unknown): string {
  const name = textAt(object, 'metadata', 'name');
  if (name === '') throw new ClusterProtocolError('the API server sent an object without a name');
  return `${textAt(object, 'metadata', 'namespace')}/${name}`;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ClusterProtocolError(`the API server sent ${what} that is not JSON`, { cause });
  }
}
