// Percentiles of latencies: a small table with one row per latency.
import { useState } from 'preact/hooks';
import type { EngineView, LatenciesView, RouterView } from '../../src/core/views/index.ts';
import { EmulatedMark } from './emulated.tsx';
import { count, latency } from './format.ts';

/** Models shown before "show all". */
const modelsShownMax = 5;

const rows = [
  ['ttft', 'TTFT', 'Time to first token of streamed responses, from the arrival of the request'],
  ['tpot', 'TPOT', 'Time per output token after the first, of streamed responses'],
  ['e2e', 'end to end', 'From the arrival of the request to the end of its response'],
] as const;

/** Percentiles of the fleet and of each model. */
export function FleetLatencies({ snapshot }: { readonly snapshot: RouterView }) {
  const [showsAll, setShowsAll] = useState(false);
  const { windowSeconds, all, models } = snapshot.latencies;
  // With one model, its figures are those of the fleet.
  const [only, second] = models;
  const listed = second === undefined ? [] : models;
  const hidden = listed.length - modelsShownMax;
  const shown = showsAll ? listed : listed.slice(0, modelsShownMax);
  const servers = (model: string): readonly EngineView[] => {
    const own = snapshot.engines.filter((engine) => engine.serving_models.includes(model));
    // An alias is served by engines that do not list it.
    return own.length > 0 ? own : snapshot.engines;
  };
  return (
    <section class="latencies" aria-label="Latencies">
      <LatencyCard
        title={only !== undefined && second === undefined ? only.model : 'All models'}
        note={`last ${windowSeconds / 60} minutes`}
        latencies={all}
        engines={snapshot.engines}
      />
      {shown.map(({ model, ...latencies }) => (
        <LatencyCard key={model} title={model} latencies={latencies} engines={servers(model)} />
      ))}
      {hidden > 0 && (
        <button type="button" onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? 'Show fewer models' : `Show ${hidden} more models`}
        </button>
      )}
    </section>
  );
}

interface LatencyCardProps {
  readonly title: string;
  readonly note?: string;
  readonly latencies: LatenciesView;
  readonly engines: readonly EngineView[];
}

function LatencyCard({ title, note, latencies, engines }: LatencyCardProps) {
  return (
    <article class="card latency-card" aria-label={`Latencies of ${title}`}>
      <h2>
        <span class="cut" title={title}>
          {title}
        </span>
        {note && <span class="quiet"> {note}</span>}
        <EmulatedMark engines={engines} />
      </h2>
      <LatencyTable latencies={latencies} />
    </article>
  );
}

export function LatencyTable({ latencies }: { readonly latencies: LatenciesView }) {
  return (
    <table class="latency-table">
      <thead>
        <tr>
          <th scope="col">latency</th>
          {['p50', 'p90', 'p99', 'requests'].map((name) => (
            <th key={name} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([key, name, title]) => {
          const quantiles = latencies[key];
          return (
            <tr key={key} title={title}>
              <th scope="row">{name}</th>
              <td class="number">{latency(quantiles?.p50)}</td>
              <td class="number">{latency(quantiles?.p90)}</td>
              <td class="number">{latency(quantiles?.p99)}</td>
              <td class="number quiet">{count(quantiles?.count ?? 0)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
