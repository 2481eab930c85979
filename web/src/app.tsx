// The page: totals, latencies, charts of the fleet over time, the engines, and the recent requests.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { EngineView, RouterView } from '../../src/core/views/index.ts';
import { EmulatedMark } from './emulated.tsx';
import { cardsMax, Engines } from './engines.tsx';
import { FleetCharts, ranges } from './fleet-charts.tsx';
import { duration } from './format.ts';
import { HbmMap } from './hbm-map.tsx';
import { emptyHistory, type History, mergeHistory, newestSeconds } from './history.ts';
import { KeyForm } from './key-form.tsx';
import { FleetLatencies } from './latencies.tsx';
import { type Connection, connectLive, fetchHistory, poll } from './live.ts';
import { PlanAndGate } from './plan-card.tsx';
import { Recent } from './recent.tsx';
import { storedKey, storeKey } from './router-request.ts';
import { ThemeSwitch } from './theme.tsx';
import { TierFlowChart } from './tier-flow-chart.tsx';
import { Totals } from './totals.tsx';
import { WhatIf } from './what-if.tsx';

/** How long the page shows a notice about a restart of the router. */
const restartNoticeSeconds = 60;
/** The router adds a point to its history every five seconds. */
const historyPollMs = 5_000;
/** Maximum number of rows that are open at once; opening another one closes the oldest. */
const openRowsMax = 8;

interface Live {
  readonly snapshot: RouterView | undefined;
  /** Whether the router has restarted since the page was opened. */
  readonly hasRestarted: boolean;
}

export function App() {
  const [connection, setConnection] = useState<Connection>('connecting');
  const [{ snapshot, hasRestarted }, setLive] = useState<Live>({
    snapshot: undefined,
    hasRestarted: false,
  });
  const [keysEntered, setKeysEntered] = useState(0);
  const [rangeSeconds, setRange] = useState(ranges[0]?.[0] ?? 300);
  const [chosenUrl, setChosenUrl] = useState<string>();
  const [openUrls, setOpenUrls] = useState<readonly string[]>([]);
  useEffect(
    () =>
      connectLive('/dashboard/events', {
        onConnection: setConnection,
        onSnapshot: (next) =>
          setLive((before) => ({
            snapshot: next,
            hasRestarted:
              before.hasRestarted || next.uptimeSeconds < (before.snapshot?.uptimeSeconds ?? 0),
          })),
      }),
    // Each entered key connects again.
    [keysEntered],
  );
  const engines = snapshot?.engines ?? [];
  const history = useHistory(
    engines.length <= cardsMax ? engines.map(({ url }) => url) : openUrls,
    connection === 'live',
  );
  // Colours tell engines apart only where each has its own.
  const coloured = engines.length <= cardsMax ? engines : [];
  const colours = new Map(coloured.map(({ url }, index) => [url, `--engine-${index + 1}`]));
  const chosen = engines.find(({ url }) => url === chosenUrl);
  const toggleOpen = (url: string): void =>
    setOpenUrls((before) =>
      before.includes(url)
        ? before.filter((open) => open !== url)
        : [...before, url].slice(-openRowsMax),
    );
  return (
    <>
      <PageHeader snapshot={snapshot} connection={connection} engines={engines} />
      <main>
        <Notice connection={connection} snapshot={snapshot} hasRestarted={hasRestarted} />
        {connection === 'locked' && (
          <KeyForm
            isRefused={storedKey() !== ''}
            onKey={(key) => {
              storeKey(key);
              // Closes the form at once: one that stayed open until the effect has connected would call the
              // key refused before the router has responded, and lose what is typed into it.
              setConnection('connecting');
              setKeysEntered(keysEntered + 1);
            }}
          />
        )}
        {snapshot && (
          <>
            <Totals snapshot={snapshot} />
            <FleetLatencies snapshot={snapshot} />
            <FleetCharts
              {...{ history, engines, colours, rangeSeconds }}
              onRange={(seconds) => setRange(seconds)}
            />
            <div class="maps">
              <HbmMap engines={engines} />
              <TierFlowChart engines={engines} />
            </div>
            <Engines
              {...{ engines, colours, history, rangeSeconds, chosenUrl }}
              onChoose={(url) => setChosenUrl(chosenUrl === url ? undefined : url)}
              openUrls={new Set(openUrls)}
              onOpen={toggleOpen}
            />
            <Recent
              colours={colours}
              chosen={chosen}
              onClear={() => setChosenUrl(undefined)}
              isLive={connection === 'live'}
            />
            <PlanAndGate engines={engines} isLive={connection === 'live'} />
            <WhatIf snapshot={snapshot} />
          </>
        )}
      </main>
    </>
  );
}

/** The history of the fleet and of some engines, extended while the router responds. */
function useHistory(urls: readonly string[], isLive: boolean): History {
  const [history, setHistory] = useState<History>(emptyHistory);
  const current = useRef(history);
  current.current = history;
  const key = urls.join(' ');
  // `key` represents the URLs: the same ones in a new list must not load again.
  useEffect(() => {
    if (!isLive) return;
    return poll(historyPollMs, async (signal) => {
      const known = current.current;
      const [old, added] = [true, false].map((isKnown) =>
        urls.filter((url) => known.engines.has(url) === isKnown),
      ) as [string[], string[]];
      const views = [
        await fetchHistory({ engines: old, sinceSeconds: newestSeconds(known) }, signal),
        // An engine that is shown for the first time has no points here: all of them are loaded.
        ...(added.length === 0
          ? []
          : [await fetchHistory({ engines: added, sinceSeconds: 0 }, signal)]),
      ];
      setHistory((before) => views.reduce(mergeHistory, before));
    });
  }, [key, isLive]);
  return history;
}

const connectionWords: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'reconnecting',
  locked: 'needs a key',
};

interface PageHeaderProps {
  readonly snapshot: RouterView | undefined;
  readonly connection: Connection;
  readonly engines: readonly EngineView[];
}

function PageHeader({ snapshot, connection, engines }: PageHeaderProps) {
  return (
    <header class="page-header">
      <h1>Spillway</h1>
      {snapshot && (
        <>
          <span class="chip" title="Routing policy">
            {snapshot.policy}
          </span>
          <EmulatedMark engines={engines} />
          <span class="quiet version">version {snapshot.version}</span>
        </>
      )}
      <ThemeSwitch />
      <p class={`connection ${connection}`} role="status">
        {connectionWords[connection]}
      </p>
    </header>
  );
}

interface NoticeProps {
  readonly connection: Connection;
  readonly snapshot: RouterView | undefined;
  readonly hasRestarted: boolean;
}

function Notice({ connection, snapshot, hasRestarted }: NoticeProps) {
  if (connection === 'lost') {
    return (
      <p class="notice bad" role="alert">
        The router does not respond. This page retries every second; its data is out of date.
      </p>
    );
  }
  const uptime = snapshot?.uptimeSeconds ?? 0;
  if (hasRestarted && uptime < restartNoticeSeconds) {
    return (
      <p class="notice" role="status">
        The router restarted {duration(uptime)} ago: its counters were reset.
      </p>
    );
  }
  return null;
}
