// The plan of the stack beside what the router measures, and the gate on HBM utilization.
import { useEffect, useState } from 'preact/hooks';
import type { EngineView } from '../../src/core/views/index.ts';
import {
  type GateState,
  type GateView,
  type PlanFigureName,
  type PlanView,
  parsePlanView,
  planFigureNames,
} from '../../src/core/views/index.ts';
import { EmulatedMark } from './emulated.tsx';
import { count, latency, percent, rate } from './format.ts';
import { poll } from './live.ts';
import { planStanding } from './plan-standing.ts';
import { routerFetch } from './router-request.ts';

/** The router judges the gate anew at this interval. */
const pollMs = 5_000;

interface FigureRow {
  readonly name: string;
  readonly title: string;
  readonly text: (value: number | null) => string;
}

const rows: Readonly<Record<PlanFigureName, FigureRow>> = {
  ttftSeconds: { name: 'TTFT', title: 'Mean time to the first token', text: latency },
  tpotSeconds: {
    name: 'TPOT',
    title: 'Mean time per output token after the first',
    text: latency,
  },
  tokensPerSecond: {
    name: 'tokens/s',
    title: 'Output tokens per second of all engines; below the plan under less load than planned',
    text: rate,
  },
  hitRate: {
    name: 'hit rate',
    title: 'Share of the prompt tokens that were cached',
    text: (share) => percent(share, 1),
  },
  kvUsageP99: {
    name: 'KV cache P99',
    title: 'P99 of the KV cache utilization, of the fullest engine',
    text: (share) => percent(share, 1),
  },
  engines: { name: 'engines', title: 'Engines; the measured ones are live', text: count },
};

const verdicts: Readonly<Record<GateState, string>> = {
  pass: 'pass',
  fail: 'over',
  unknown: 'not enough data',
};

interface PlanAndGateProps {
  readonly engines: readonly EngineView[];
  readonly isLive: boolean;
}

export function PlanAndGate({ engines, isLive }: PlanAndGateProps) {
  const [view, setView] = useState<PlanView>();
  useEffect(() => {
    if (!isLive) return;
    return poll(pollMs, async (signal) => {
      const response = await routerFetch('/dashboard/plan', signal);
      if (response.ok) setView(parsePlanView(await response.text()));
    });
  }, [isLive]);
  if (view === undefined) return null;
  return (
    <div class="plan-and-gate">
      <PlanCard view={view} engines={engines} />
      <GateCard gate={view.gate} />
    </div>
  );
}

function PlanCard({ view, engines }: { view: PlanView; engines: readonly EngineView[] }) {
  const { planned, measured, measuredRequests } = view;
  return (
    <section class="card plan-card" aria-label="Plan against actual">
      <h2>
        Plan against actual <EmulatedMark engines={engines} />
      </h2>
      {planned === null ? (
        <p class="quiet">
          No plan. Write one with <code>spillway plan --json</code>, and start{' '}
          <code>spillway up</code> or the router with <code>--plan FILE</code>.
        </p>
      ) : (
        <>
          <table>
            <thead>
              <tr>
                <th scope="col">figure</th>
                <th scope="col">plan</th>
                <th scope="col">90 % of runs</th>
                <th scope="col">measured</th>
              </tr>
            </thead>
            <tbody>
              {planFigureNames.map((name) => {
                const { text, title, name: label } = rows[name];
                const figure = planned[name];
                const standing = planStanding(name, figure, measured[name]);
                return (
                  <tr key={name}>
                    <th scope="row" title={title}>
                      {label}
                    </th>
                    <td>{text(figure?.mean ?? null)}</td>
                    <td>{figure === null ? '' : `${text(figure.low)} – ${text(figure.high)}`}</td>
                    <td class={standing.isWorse ? 'figure warn' : undefined}>
                      {text(measured[name])}
                      {standing.words !== '' && <span class="quiet"> {standing.words}</span>}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
          <p class="quiet">
            {measuredRequests === 0
              ? 'No streamed request has been completed yet.'
              : `Latencies at the router: means of the last ${count(measuredRequests)} streamed requests.`}
          </p>
        </>
      )}
    </section>
  );
}

function GateCard({ gate }: { gate: GateView }) {
  const { verdict, because, max, windowSeconds, judged, engines } = gate;
  const rest = judged - engines.length;
  return (
    <section class="card gate-card" aria-label="Gate on HBM utilization">
      <h2>
        Gate <span class={`gate-verdict ${verdict}`}>{verdicts[verdict]}</span>
      </h2>
      <p>{because}.</p>
      {engines.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">engine</th>
              <th scope="col">P99</th>
              <th scope="col">samples</th>
              <th scope="col">verdict</th>
            </tr>
          </thead>
          <tbody>
            {engines.map((engine) => (
              <tr key={engine.name}>
                <th scope="row" class="cut">
                  {engine.name}
                </th>
                <td class={engine.p99 !== null && engine.p99 > max ? 'figure warn' : undefined}>
                  {percent(engine.p99, 1)}
                </td>
                <td>{percent(engine.coverage)}</td>
                <td>{verdicts[engine.verdict]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="quiet">
        P99 of the KV cache utilization in the last {windowSeconds / 60} minutes, at most{' '}
        {percent(max, 1)}
        {rest > 0 && `; ${count(rest)} more engines are less full`}. Over a day:{' '}
        <code>spillway gate</code>.
      </p>
    </section>
  );
}
