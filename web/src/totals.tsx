// The fleet in a row of numbers.
import type { RouterSnapshot } from '../../src/apps/up/snapshot.ts';
import { count, duration, percent, rate } from './format.ts';
import { type History, ratesAt } from './history.ts';

export function Totals({ snapshot, history }: { snapshot: RouterSnapshot; history: History }) {
  const { engines } = snapshot;
  const sum = (value: (engine: (typeof engines)[number]) => number | null | undefined): number =>
    engines.reduce((total, engine) => total + (value(engine) ?? 0), 0);
  const queries = sum(({ reported }) => reported?.prefixCacheQueries);
  const hits = sum(({ reported }) => reported?.prefixCacheHits);
  const outRate = [...history.engines.values()].reduce(
    (total, points) => total + ratesAt(points).generationTokensPerSecond,
    0,
  );
  const waiting = sum(({ reported }) => reported?.waiting);
  return (
    <dl class="totals">
      <Total name="requests/s" value={rate(snapshot.requestsPerSecond)} />
      <Total name="in flight" value={count(snapshot.inflight)} />
      <Total name="running" value={count(sum(({ reported }) => reported?.running))} />
      <Total name="waiting" value={count(waiting)} isWarning={waiting > 0} />
      <Total name="hit rate" value={percent(queries > 0 ? hits / queries : null, 1)} />
      <Total name="tokens/s" value={rate(outRate)} />
      <Total name="requests" value={count(snapshot.requests)} />
      <Total name="errors" value={count(snapshot.errors)} isWarning={snapshot.errors > 0} />
      {snapshot.routers && <RoutersHeard peers={snapshot.routers.peers} />}
      <Total name="router up" value={duration(snapshot.uptimeSeconds)} />
    </dl>
  );
}

/** Of the other routers that this one shares attempts with. */
function RoutersHeard({ peers }: { peers: NonNullable<RouterSnapshot['routers']>['peers'] }) {
  const heard = peers.filter(({ state }) => state === 'heard').length;
  const wanted = heard + peers.filter(({ state }) => state === 'waiting').length;
  const value = `${count(heard)} of ${count(wanted)}`;
  return <Total name="routers heard" value={value} isWarning={heard < wanted} />;
}

function Total(props: { name: string; value: string; isWarning?: boolean }) {
  return (
    <div class={props.isWarning ? 'card total warning' : 'card total'}>
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}
