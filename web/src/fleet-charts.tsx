// The charts of the fleet: requests, latencies, KV blocks and queues over the last minutes or the last hour.
import { useState } from 'preact/hooks';
import type { EngineView } from '../../src/core/views/index.ts';
import { ChartCard } from './chart.tsx';
import { EmulatedMark } from './emulated.tsx';
import { cardsMax } from './engines.tsx';
import { latency, percent, rate } from './format.ts';
import { alignedTo, type History, recentPoints, valuesOf } from './history.ts';

/** Time spans that the charts can show. */
export const ranges: readonly (readonly [seconds: number, label: string])[] = [
  [300, '5 minutes'],
  [900, '15 minutes'],
  [3_600, '1 hour'],
];

type LatencyKind = 'ttft' | 'tpot' | 'e2e';
const latencyKinds: readonly (readonly [LatencyKind, string])[] = [
  ['ttft', 'TTFT'],
  ['tpot', 'TPOT'],
  ['e2e', 'end to end'],
];

interface FleetChartsProps {
  readonly history: History;
  readonly engines: readonly EngineView[];
  readonly colours: ReadonlyMap<string, string>;
  readonly rangeSeconds: number;
  readonly onRange: (seconds: number) => void;
}

const height = 150;

export function FleetCharts(props: FleetChartsProps) {
  const { history, engines, colours, rangeSeconds } = props;
  const [kind, setKind] = useState<LatencyKind>('ttft');
  const fleet = recentPoints(history.fleet, rangeSeconds);
  const times = fleet.atSeconds;
  const line = (label: string, name: string, colour: string, filled = false) => {
    return { label, colour, values: valuesOf(fleet, name), filled };
  };
  const span = ranges.find(([seconds]) => seconds === rangeSeconds)?.[1] ?? '';
  const common = { times, height, secondsMin: rangeSeconds };
  const byEngine = engines.length <= cardsMax;
  return (
    <section aria-label="Charts">
      <div class="toolbar">
        {ranges.map(([seconds, label]) => (
          <button
            key={seconds}
            type="button"
            aria-pressed={seconds === rangeSeconds}
            onClick={() => props.onRange(seconds)}
          >
            {label}
          </button>
        ))}
        <EmulatedMark engines={engines} />
      </div>
      <div class="fleet-charts">
        <ChartCard
          {...common}
          title="Requests and errors per second"
          series={[
            line('requests', 'requestsPerSecond', '--accent', true),
            line('4xx', 'clientErrorsPerSecond', '--warn'),
            line('5xx', 'serverErrorsPerSecond', '--bad'),
          ]}
          format={(value) => rate(value)}
          description={`Requests and errors per second over the last ${span}`}
        />
        <ChartCard
          {...common}
          title="Latency over the minute before"
          controls={
            <select
              aria-label="Latency to show"
              value={kind}
              onChange={(event) => setKind(event.currentTarget.value as LatencyKind)}
            >
              {latencyKinds.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          }
          series={[
            line('p50', `${kind}P50`, '--engine-1'),
            line('p90', `${kind}P90`, '--engine-2'),
            line('p99', `${kind}P99`, '--engine-3'),
          ]}
          topMin={0.001}
          format={(value) => (value === 0 ? '0' : latency(value))}
          description={`Percentiles of latency over the last ${span}`}
        />
        <ChartCard
          {...common}
          title={byEngine ? 'KV blocks in use, by engine' : 'KV blocks in use, of all engines'}
          series={
            byEngine
              ? engines.map(({ url, name }) => {
                  const points = history.engines.get(url);
                  return {
                    label: name,
                    colour: colours.get(url) ?? '--quiet',
                    values: points ? alignedTo(times, points, 'kvUsage') : times.map(() => null),
                  };
                })
              : [
                  line('mean', 'kvUsageMean', '--accent', true),
                  line('highest', 'kvUsageMax', '--bad'),
                ]
          }
          max={1}
          format={(value) => percent(value)}
          description={`Share of KV blocks in use over the last ${span}`}
        />
        <ChartCard
          {...common}
          title="Requests in engines"
          series={[
            line('running', 'running', '--accent', true),
            line('waiting', 'waiting', '--warn'),
          ]}
          format={(value) => rate(value)}
          description={`Requests running and waiting over the last ${span}`}
        />
      </div>
    </section>
  );
}
