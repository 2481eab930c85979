// Data from the router: its view, pushed by server-sent events, and lists that are polled.
import {
  type HistoryView,
  parseHistoryView,
  parseRouterView,
  type RouterView,
} from '../../src/core/protocol/router-views.ts';

/** `lost`: the router does not respond; the page keeps retrying. */
export type Connection = 'connecting' | 'live' | 'lost';

export interface LiveHooks {
  onSnapshot(snapshot: RouterView): void;
  onConnection(connection: Connection): void;
}

/** The router sends one event per second; a connection without data for this long is dead. */
const silenceMs = 5_000;
const retryMs = 1_000;

/** Connects, and reconnects whenever the connection is lost. Returns a function that ends this. */
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
      hooks.onSnapshot(parseRouterView(event.data));
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

/**
 * Calls `load` now and at an interval, except while the page is in the background. Failures are ignored,
 * since the live connection shows when the router is unreachable. Returns a function that ends this.
 */
export function poll(intervalMs: number, load: (signal: AbortSignal) => Promise<void>): () => void {
  const stop = new AbortController();
  const loadVisible = (): void => {
    if (!document.hidden) load(stop.signal).catch(() => undefined);
  };
  loadVisible();
  const timer = setInterval(loadVisible, intervalMs);
  document.addEventListener('visibilitychange', loadVisible);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', loadVisible);
    stop.abort();
  };
}

/** @param engines URLs of engines whose series are wanted. */
export async function fetchHistory(
  options: { readonly engines: readonly string[]; readonly sinceSeconds: number },
  signal: AbortSignal,
): Promise<HistoryView> {
  const query = new URLSearchParams(options.engines.map((url) => ['engine', url]));
  query.set('since', String(options.sinceSeconds));
  const response = await fetch(`/dashboard/history?${query}`, { signal });
  if (!response.ok) throw new Error(`/dashboard/history returned ${response.status}`);
  return parseHistoryView(await response.text());
}
