// The router's view, pushed by server-sent events, with reconnection.
import type { RouterSnapshot } from '../../src/apps/up/snapshot.ts';

/** `lost`: the router does not answer; the page keeps trying. */
export type Connection = 'connecting' | 'live' | 'lost';

export interface LiveHooks {
  onSnapshot(snapshot: RouterSnapshot): void;
  onConnection(connection: Connection): void;
}

/** The router sends one event per second; silence of this length is a dead connection. */
const silenceMs = 5_000;
const retryMs = 1_000;

/** Connects, and again whenever the connection is lost. Returns the end of it. */
export function connectLive(url: string, hooks: LiveHooks): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;

  const retryAfter = (milliseconds: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      hooks.onConnection('lost');
      connect();
    }, milliseconds);
  };
  const connect = (): void => {
    // The browser's own reconnection gives up on an error status; ours does not.
    source?.close();
    source = new EventSource(url);
    retryAfter(silenceMs);
    source.onmessage = (event: MessageEvent<string>) => {
      retryAfter(silenceMs);
      hooks.onConnection('live');
      hooks.onSnapshot(JSON.parse(event.data) as RouterSnapshot);
    };
    source.onerror = () => {
      source?.close();
      hooks.onConnection('lost');
      retryAfter(retryMs);
    };
  };

  hooks.onConnection('connecting');
  connect();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
