// The router's last picks, each with its reason, and the last requests that have ended.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import {
  type PickView,
  parsePickViews,
  parseRequestViews,
  type RequestView,
} from '../../src/core/views/index.ts';
import { count, latency } from './format.ts';
import { poll } from './live.ts';
import { routerFetch } from './router-request.ts';
import { WaterfallList } from './waterfall-list.tsx';

interface RecentProps {
  /** Colour of each engine, by URL. */
  readonly colours: ReadonlyMap<string, string>;
  /** Show only this engine's. */
  readonly chosen: { readonly url: string; readonly name: string } | undefined;
  readonly onClear: () => void;
  readonly isLive: boolean;
}

type Tab = keyof Lists | 'waterfall';

interface Lists {
  readonly picks: readonly PickView[];
  readonly requests: readonly RequestView[];
}

const pollMs = 1_500;
const rowsMax = 15;

export function Recent({ colours, chosen, onClear, isLive }: RecentProps) {
  const [lists, setLists] = useState<Lists>({ picks: [], requests: [] });
  const [tab, setTab] = useState<Tab>('picks');
  const [isPaused, setPaused] = useState(false);
  useEffect(() => {
    if (isPaused || !isLive) return;
    return poll(pollMs, async (signal) => {
      const textOf = async (path: string): Promise<string | undefined> => {
        const response = await routerFetch(path, signal);
        return response.ok ? response.text() : undefined;
      };
      const picks = tab === 'requests' ? undefined : await textOf('/debug/picks');
      const requests = tab === 'picks' ? undefined : await textOf('/debug/requests');
      setLists((before) => ({
        picks: picks === undefined ? before.picks : parsePickViews(picks).toReversed(),
        requests:
          requests === undefined ? before.requests : parseRequestViews(requests).toReversed(),
      }));
    });
  }, [isPaused, isLive, tab]);

  const isShown = ({ url }: { readonly url: string | null }): boolean =>
    chosen === undefined || url === chosen.url;
  const picks = lists.picks.filter(isShown).slice(0, rowsMax);
  const requests = lists.requests.filter(isShown).slice(0, rowsMax);
  const shown = tab === 'picks' ? picks.length : requests.length;
  return (
    <section class="card recent" aria-label="Recent requests">
      <header>
        <TabButton isChosen={tab === 'picks'} onClick={() => setTab('picks')}>
          Picks
        </TabButton>
        <TabButton isChosen={tab === 'requests'} onClick={() => setTab('requests')}>
          Requests
        </TabButton>
        <TabButton isChosen={tab === 'waterfall'} onClick={() => setTab('waterfall')}>
          Waterfall
        </TabButton>
        {chosen !== undefined && (
          <button type="button" onClick={onClear}>
            only {chosen.name} ✕
          </button>
        )}
        <button
          type="button"
          class="at-end"
          aria-pressed={isPaused}
          onClick={() => setPaused(!isPaused)}
        >
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      </header>
      {shown === 0 ? (
        <p class="quiet">
          No requests yet. The terminal that runs Spillway shows a curl line to try.
        </p>
      ) : tab === 'waterfall' ? (
        <WaterfallList requests={requests} picks={lists.picks} />
      ) : tab === 'picks' ? (
        <PickTable picks={picks} colours={colours} />
      ) : (
        <RequestTable requests={requests} colours={colours} />
      )}
    </section>
  );
}

function TabButton(props: {
  readonly isChosen: boolean;
  readonly onClick: () => void;
  readonly children: ComponentChildren;
}) {
  return (
    <button type="button" class="tab" aria-pressed={props.isChosen} onClick={props.onClick}>
      {props.children}
    </button>
  );
}

type Colours = RecentProps['colours'];

function PickTable({ picks, colours }: { picks: readonly PickView[]; colours: Colours }) {
  return (
    <table class="stacking">
      <thead>
        <tr>
          <th scope="col">engine</th>
          <th scope="col" class="number">
            prompt tokens
          </th>
          <th scope="col" class="number">
            expected cached
          </th>
          <th scope="col">why</th>
          <th scope="col">request</th>
        </tr>
      </thead>
      <tbody>
        {picks.map((pick) => (
          <tr key={`${pick.requestId} ${pick.url}`}>
            <td class="nowrap">
              <EngineName url={pick.url} name={pick.engine} colours={colours} />
            </td>
            <td class="number" data-label="prompt tokens">
              {count(pick.promptTokens)}
            </td>
            <td class="number" data-label="expected cached">
              {count(pick.cachedTokens)}
            </td>
            <td class="why">{pick.reason}</td>
            <td class="quiet request">{pick.requestId}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RequestTable(props: { requests: readonly RequestView[]; colours: Colours }) {
  return (
    <table class="stacking">
      <thead>
        <tr>
          <th scope="col">engine</th>
          <th scope="col" class="number">
            status
          </th>
          <th scope="col" class="number">
            TTFT
          </th>
          <th scope="col" class="number">
            end to end
          </th>
          <th scope="col" class="number">
            output tokens
          </th>
          <th scope="col">model</th>
          <th scope="col">request</th>
        </tr>
      </thead>
      <tbody>
        {props.requests.map((request) => (
          <tr key={`${request.requestId} ${request.atSeconds}`}>
            <td class="nowrap">
              {request.url === null ? (
                <span class="quiet">none</span>
              ) : (
                <EngineName
                  url={request.url}
                  name={request.engine ?? request.url}
                  colours={props.colours}
                />
              )}
            </td>
            <td class={request.status >= 400 ? 'number bad' : 'number'} data-label="status">
              {request.outcome === 'cancelled' ? 'cancelled' : request.status}
            </td>
            <td class="number" data-label="TTFT">
              {latency(request.ttftSeconds)}
            </td>
            <td class="number" data-label="end to end">
              {latency(request.seconds)}
            </td>
            <td class="number" data-label="output tokens">
              {count(request.outputTokens)}
            </td>
            <td class="cut">{request.model ?? ''}</td>
            <td class="quiet request">{request.requestId}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface EngineNameProps {
  readonly url: string;
  readonly name: string;
  readonly colours: Colours;
}

function EngineName({ url, name, colours }: EngineNameProps) {
  const colour = colours.get(url);
  return (
    <>
      {colour && <span class="dot" style={{ background: `var(${colour})` }} />}
      {name}
    </>
  );
}
