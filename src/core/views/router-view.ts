// The router as a whole: /debug/router, and an event of /dashboard/events.

import { type EngineView, engines } from './engine-view.ts';
import { listOf, nullable, number, objectOf, oneOf, parserOf, text } from './json-shape.ts';
import { type RouterLatenciesView, routerLatencies } from './latencies-view.ts';

/**
 * - `connecting`: no stream of its attempts.
 * - `connected`: its attempts are counted.
 * - `self`: the address is that of this router.
 * - `duplicate`: the router is connected at another address.
 */
export type PeerState = 'connecting' | 'connected' | 'self' | 'duplicate';

/** One address of a router that attempts are shared with. */
export interface PeerView {
  readonly url: string;
  readonly address: string;
  readonly state: PeerState;
  /** Its id while it is connected. */
  readonly router: string | null;
  /** Why it is not connected; null if it is. */
  readonly problem: string | null;
  /** Delay of its latest update over the fastest one in 30 s. */
  readonly delaySeconds: number | null;
}

export interface PeersView {
  /** This router's id among routers, new with each start. */
  readonly id: string;
  /** Routers that listen to this one. */
  readonly listeners: number;
  /** Listeners disconnected because they read too slowly. */
  readonly listenersDropped: number;
  readonly peers: readonly PeerView[];
  /** Engines that only other routers have. */
  readonly unknownEngines: readonly string[];
}

/** Requests that wait in the router while all engines of their model are saturated. */
export interface QueueView {
  /** Number of waiting requests, of all models. */
  readonly waiting: number;
  /** Time that the one which has waited longest has waited. */
  readonly oldestSeconds: number;
  /** Requests rejected since the router started. */
  readonly rejected: number;
  /** The most urgent priorities with waiting requests, in order; lower numbers are more urgent. */
  readonly byPriority: readonly QueuePriorityView[];
}

export interface QueuePriorityView {
  readonly priority: number;
  readonly waiting: number;
}

/** The whole of /debug/router, and an event of /dashboard/events. */
export interface RouterView {
  readonly policy: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** Requests received. */
  readonly requests: number;
  /** Requests that failed: refused ones, and those that failed on an engine. */
  readonly errors: number;
  /** Responses with a status of 400 to 499, the router's own included. */
  readonly clientErrors: number;
  /** Responses with a status of 500 or above, the router's own included, and those that broke off. */
  readonly serverErrors: number;
  readonly requestsPerSecond: number;
  /** Sent by this router and not finished. */
  readonly inflight: number;
  /** Null if requests never wait in the router. */
  readonly queue: QueueView | null;
  readonly latencies: RouterLatenciesView;
  /** Null if attempts are not shared. */
  readonly routers: PeersView | null;
  readonly engines: readonly EngineView[];
}

const peers = objectOf<PeersView>({
  id: text,
  listeners: number,
  listenersDropped: number,
  peers: listOf(
    objectOf<PeerView>({
      url: text,
      address: text,
      state: oneOf(['connecting', 'connected', 'self', 'duplicate']),
      router: nullable(text),
      problem: nullable(text),
      delaySeconds: nullable(number),
    }),
  ),
  unknownEngines: listOf(text),
});

const queue = objectOf<QueueView>({
  waiting: number,
  oldestSeconds: number,
  rejected: number,
  byPriority: listOf(objectOf<QueuePriorityView>({ priority: number, waiting: number })),
});

const router = objectOf<RouterView>({
  policy: text,
  version: text,
  uptimeSeconds: number,
  requests: number,
  errors: number,
  clientErrors: number,
  serverErrors: number,
  requestsPerSecond: number,
  inflight: number,
  queue: nullable(queue),
  latencies: routerLatencies,
  routers: nullable(peers),
  engines,
});

/** Reads /debug/router, or the data of an event. @throws {JsonShapeError} */
export const parseRouterView: (json: string) => RouterView = parserOf(router);
