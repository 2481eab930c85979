// The fleet's totals in one row.
import {
  currentReport,
  type PeersView,
  type QueueView,
  type ReportedView,
  type RouterView,
} from '../../src/core/views/index.ts';
import { count, duration, percent, rate } from './format.ts';

export function Totals({ snapshot }: { readonly snapshot: RouterView }) {
  const { engines } = snapshot;
  // The last report of a dead engine is stale and counts in no total.
  const reports = engines.flatMap((engine) => currentReport(engine) ?? []);
  const sum = (value: (report: ReportedView) => number | null): number =>
    reports.reduce((total, report) => total + (value(report) ?? 0), 0);
  const queries = sum(({ prefixCacheQueries }) => prefixCacheQueries);
  const hits = sum(({ prefixCacheHits }) => prefixCacheHits);
  const rates = engines.map((engine) => engine.rates?.generationTokensPerSecond ?? 0);
  const waiting = sum((report) => report.waiting);
  const live = engines.filter(({ state }) => state === 'live').length;
  return (
    <dl class="totals">
      <Total name="requests/s" value={rate(snapshot.requestsPerSecond)} />
      <Total name="in flight" value={count(snapshot.inflight)} />
      <Total name="running" value={count(sum(({ running }) => running))} />
      <Total name="waiting" value={count(waiting)} isWarning={waiting > 0} />
      {snapshot.queue && <Queue queue={snapshot.queue} />}
      <Total name="hit rate" value={percent(queries > 0 ? hits / queries : null, 1)} />
      <Total name="tokens/s" value={rate(rates.reduce((total, value) => total + value, 0))} />
      <Total name="requests" value={count(snapshot.requests)} />
      <Total
        name="4xx"
        title="Responses with a status of 400 to 499: the request was at fault"
        value={count(snapshot.clientErrors)}
        isWarning={snapshot.clientErrors > 0}
      />
      <Total
        name="5xx"
        title="Responses with a status of 500 or above, and those that broke off"
        value={count(snapshot.serverErrors)}
        isWarning={snapshot.serverErrors > 0}
      />
      <Total
        name="engines"
        title="Live engines, of all"
        value={live === engines.length ? count(live) : `${count(live)}/${count(engines.length)}`}
        isWarning={live < engines.length}
      />
      {snapshot.routers && <ConnectedRouters peers={snapshot.routers.peers} />}
      <Total name="router up" value={duration(snapshot.uptimeSeconds)} />
    </dl>
  );
}

/** Requests that wait in the router, and those that it rejected. */
function Queue({ queue }: { queue: QueueView }) {
  const { waiting, oldestSeconds, byPriority, rejected } = queue;
  const levels = byPriority.map((level) => `priority ${level.priority}: ${count(level.waiting)}`);
  const oldest = waiting > 0 ? `the oldest for ${duration(oldestSeconds)}` : '';
  const about = 'Requests that wait in the router because all engines are saturated';
  return (
    <>
      <Total
        name="queued"
        title={[about, oldest, ...levels].filter((text) => text !== '').join('\n')}
        value={count(waiting)}
        isWarning={waiting > 0}
      />
      <Total
        name="rejected"
        title="Requests rejected with status 429 because the engines are overloaded"
        value={count(rejected)}
        isWarning={rejected > 0}
      />
    </>
  );
}

/** The peer routers with which this one shares attempts. */
function ConnectedRouters({ peers }: { peers: PeersView['peers'] }) {
  const connected = peers.filter(({ state }) => state === 'connected').length;
  const wanted = connected + peers.filter(({ state }) => state === 'connecting').length;
  const value = `${count(connected)}/${count(wanted)}`;
  return <Total name="peer routers" value={value} isWarning={connected < wanted} />;
}

interface TotalProps {
  readonly name: string;
  readonly value: string;
  readonly title?: string;
  readonly isWarning?: boolean;
}

function Total({ name, value, title, isWarning }: TotalProps) {
  return (
    <div class={isWarning ? 'card total warning' : 'card total'} title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
