// The page: totals, time lines of the fleet, one card per engine, and the recent picks.
import { useEffect, useState } from 'preact/hooks';
import type { RouterSnapshot } from '../../src/apps/up/snapshot.ts';
import { Chart } from './chart.tsx';
import { EngineCard } from './engine-card.tsx';
import { duration, percent, rate } from './format.ts';
import { appendSnapshot, emptyHistory, type History } from './history.ts';
import { type Connection, connectLive } from './live.ts';
import { Picks } from './picks.tsx';
import { Totals } from './totals.tsx';

interface Picture {
  readonly snapshot: RouterSnapshot | undefined;
  readonly history: History;
}

/** How many colours style.css has for engines; more engines share them. */
const coloursMax = 8;
/** How long the page tells of a restart of the router. */
const restartNoticeSeconds = 60;

export function App() {
  const [connection, setConnection] = useState<Connection>('connecting');
  const [{ snapshot, history }, setPicture] = useState<Picture>({
    snapshot: undefined,
    history: emptyHistory,
  });
  const [chosenUrl, setChosenUrl] = useState<string>();
  useEffect(
    () =>
      connectLive('/dashboard/events', {
        onConnection: setConnection,
        onSnapshot: (next) =>
          setPicture((before) => ({
            snapshot: next,
            history: appendSnapshot(before.history, next, Date.now() / 1000),
          })),
      }),
    [],
  );
  const engines = (snapshot?.engines ?? []).map((engine, index) => ({
    engine,
    url: engine.url,
    colour: `--engine-${(index % coloursMax) + 1}`,
  }));
  return (
    <>
      <PageHeader snapshot={snapshot} connection={connection} />
      <main>
        <Notice connection={connection} history={history} />
        {snapshot && (
          <>
            <Totals snapshot={snapshot} history={history} />
            <FleetCharts history={history} engines={engines} />
            <section class="engines" aria-label="Engines">
              {engines.map(({ engine, url, colour }, index) => (
                <EngineCard
                  key={url}
                  engine={engine}
                  number={index + 1}
                  colour={colour}
                  points={history.engines.get(url) ?? []}
                  isChosen={chosenUrl === url}
                  onChoose={() => setChosenUrl(chosenUrl === url ? undefined : url)}
                />
              ))}
            </section>
            <Picks
              engines={engines}
              chosenUrl={chosenUrl}
              onClear={() => setChosenUrl(undefined)}
              isLive={connection === 'live'}
            />
          </>
        )}
      </main>
    </>
  );
}

const connectionWords: Readonly<Record<Connection, string>> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'reconnecting',
};

function PageHeader(props: { snapshot: RouterSnapshot | undefined; connection: Connection }) {
  const { snapshot, connection } = props;
  return (
    <header class="page-header">
      <h1>Spillway</h1>
      {snapshot && (
        <p>
          <span class="chip">{snapshot.policy}</span>
          <span class="quiet"> version {snapshot.version}</span>
        </p>
      )}
      <p class={`connection ${connection}`} role="status">
        {connectionWords[connection]}
      </p>
    </header>
  );
}

function Notice({ connection, history }: { connection: Connection; history: History }) {
  if (connection === 'lost') {
    return (
      <p class="notice bad" role="alert">
        The router does not answer. This page tries again every second; what it shows is old.
      </p>
    );
  }
  const { restartedAtSeconds, lastUptimeSeconds } = history;
  if (restartedAtSeconds !== undefined && lastUptimeSeconds < restartNoticeSeconds) {
    return (
      <p class="notice" role="status">
        The router restarted {duration(lastUptimeSeconds)} ago: its counters began again.
      </p>
    );
  }
  return null;
}

interface FleetChartsProps {
  readonly history: History;
  readonly engines: readonly { readonly url: string; readonly colour: string }[];
}

function FleetCharts({ history, engines }: FleetChartsProps) {
  const length = history.times.length;
  return (
    <div class="fleet-charts">
      <figure class="card">
        <figcaption>Requests per second</figcaption>
        <Chart
          times={history.times}
          series={[
            {
              label: 'requests/s',
              colour: '--accent',
              values: history.requestsPerSecond,
              filled: true,
            },
          ]}
          height={150}
          format={(value) => rate(value)}
          description="Requests per second over the last five minutes"
        />
      </figure>
      <figure class="card">
        <figcaption>KV blocks in use, by engine</figcaption>
        <Chart
          times={history.times}
          series={engines.map(({ url, colour }, index) => {
            const points = history.engines.get(url) ?? [];
            const missing = Array.from({ length: length - points.length }, () => null);
            return {
              label: `Engine ${index + 1}`,
              colour,
              values: [...missing, ...points.map(({ kvUsage }) => kvUsage)],
            };
          })}
          height={150}
          max={1}
          format={(value) => percent(value)}
          description="Share of KV blocks in use per engine over the last five minutes"
        />
      </figure>
    </div>
  );
}
