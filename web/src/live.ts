// Data from the router: its view, pushed as server-sent events, and lists that are polled.
import {
  type HistoryView,
  parseHistoryView,
  parseRouterView,
  type RouterView,
} from '../../src/core/views/index.ts';
import { eventData } from './event-stream.ts';
import { KeyWantedError, routerFetch } from './router-request.ts';

/**
 * `lost`: the router does not respond; the page keeps retrying. `locked`: it wants an API key, or another
 * one than the user has entered.
 */
export type Connection = 'connecting' | 'live' | 'lost' | 'locked';

export interface LiveHooks {
  onSnapshot(snapshot: RouterView): void;
  onConnection(connection: Connection): void;
}

/** The router sends one event per second; a connection without data for this long is dead. */
const silenceMs = 5_000;
const retryMs = 1_000;

/**
 * Connects, and reconnects whenever the connection is lost, but not once the router has refused the key.
 * Returns a function that ends this.
 */
export function connectLive(path: string, hooks: LiveHooks): () => void {
  let attempt = new AbortController();
  let timer: number | undefined;
  let isEnded = false;

  const listen = async ({ signal }: AbortController): Promise<void> => {
    const silent = () => {
      clearTimeout(timer);
      timer = setTimeout(retry, silenceMs);
    };
    silent();
    try {
      const response = await routerFetch(path, signal);
      if (!response.ok || !response.body) throw new Error(`${path} returned ${response.status}`);
      for await (const data of eventData(response.body)) {
        if (signal.aborted) return;
        silent();
        hooks.onConnection('live');
        hooks.onSnapshot(parseRouterView(data));
      }
      throw new Error(`${path} has ended`);
    } catch (error) {
      if (signal.aborted) return;
      clearTimeout(timer);
      if (error instanceof KeyWantedError) hooks.onConnection('locked');
      else {
        hooks.onConnection('lost');
        timer = setTimeout(retry, retryMs);
      }
    }
  };
  const retry = (): void => {
    if (isEnded) return;
    attempt.abort();
    attempt = new AbortController();
    hooks.onConnection('lost');
    void listen(attempt);
  };

  hooks.onConnection('connecting');
  void listen(attempt);
  return () => {
    isEnded = true;
    clearTimeout(timer);
    attempt.abort();
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
  const response = await routerFetch(`/dashboard/history?${query}`, signal);
  if (!response.ok) throw new Error(`/dashboard/history returned ${response.status}`);
  return parseHistoryView(await response.text());
}
