// One engine: its state with the reason, its gauge of KV blocks with a chart, its queues and its latencies.
import { currentReport, type EngineView } from '../../src/core/views/index.ts';
import { Chart } from './chart.tsx';
import { EmulatedMark } from './emulated.tsx';
import { count, duration, percent, rate, shortUrl } from './format.ts';
import { type Points, recentPoints, valuesOf } from './history.ts';
import { LatencyTable } from './latencies.tsx';

export interface EngineCardProps {
  readonly engine: EngineView;
  /** CSS custom property with the engine's colour. */
  readonly colour: string;
  readonly points: Points | undefined;
  /** Time that charts show. */
  readonly rangeSeconds: number;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

/** Above this share of blocks vLLM is about to preempt. */
const fullShare = 0.92;

export function EngineCard(props: EngineCardProps) {
  const { engine, colour } = props;
  return (
    <article class={`card engine state-${engine.state}`} aria-label={engine.name}>
      <header>
        <button
          type="button"
          class="engine-name cut"
          aria-pressed={props.isChosen}
          title="Show only this engine's picks and requests"
          onClick={props.onChoose}
        >
          <span class="dot" style={{ background: `var(${colour})` }} />
          {engine.name}
        </button>
        <EmulatedMark engines={[engine]} />
        <EngineState engine={engine} />
      </header>
      <EngineDetails {...props} />
    </article>
  );
}

export function EngineState({ engine }: { readonly engine: EngineView }) {
  return (
    <span class={`state ${stateClass(engine)}`} title={engine.reason}>
      {engine.ejected ? 'ejected' : engine.state}
    </span>
  );
}

/** An ejected engine is live but looks like one that is not: it gets trial requests only. */
export function stateClass({ state, ejected }: EngineView): string {
  return ejected ? 'state-draining' : `state-${state}`;
}

/** Whether the page explains the state of an engine. */
export function hasReason({ state, ejected }: EngineView): boolean {
  return state !== 'live' || ejected;
}

/** The body of a card, also below the row of an engine. */
export function EngineDetails({ engine, colour, points, rangeSeconds }: EngineCardProps) {
  const { load, name } = engine;
  const shown = points && recentPoints(points, rangeSeconds);
  const report = currentReport(engine);
  return (
    <>
      <p class="quiet address" title={engine.serving_models.join(', ')}>
        {shortUrl(engine.url)} · {engine.serving_models.join(', ')}
      </p>
      <Reason engine={engine} />
      <div class="gauge-line">
        <span>KV blocks</span>
        <strong>{percent(report?.kvUsage)}</strong>
        <span class="quiet">
          {count(report?.blocksUsed)} / {count(report?.blocksTotal)}
        </span>
      </div>
      <Gauge engine={engine} colour={colour} />
      {shown && (
        <Chart
          times={shown.atSeconds}
          series={[
            {
              label: 'KV blocks in use',
              colour,
              values: valuesOf(shown, 'kvUsage'),
              filled: true,
            },
          ]}
          height={52}
          max={1}
          secondsMin={rangeSeconds}
          format={(value) => percent(value)}
          isBare
          description={`KV blocks of ${name} over time`}
        />
      )}
      <Facts engine={engine} />
      <LatencyTable latencies={engine.latencies} />
      <p class="quiet">
        router's count: {count(load.inflight)} in flight, {count(load.prefillTokens)} tokens in
        prefill, {count(load.decodeTokens)} in decode
      </p>
    </>
  );
}

/** Why an engine is not live, and since when. */
function Reason({ engine }: { readonly engine: EngineView }) {
  const { state, reason, stateSeconds, reported } = engine;
  if (!hasReason(engine)) return null;
  return (
    <p class={`reason ${stateClass(engine)}`}>
      {state === 'live' ? reason : `${state} for ${duration(stateSeconds)}: ${reason}`}
      {state === 'dead' && reported !== null && (
        <span class="quiet"> · last report {duration(reported.ageSeconds)} ago, not shown</span>
      )}
    </p>
  );
}

/** A bar of the KV blocks in use; empty if the engine has no current report. */
export function Gauge({
  engine,
  colour,
}: {
  readonly engine: EngineView;
  readonly colour: string;
}) {
  const usage = currentReport(engine)?.kvUsage ?? 0;
  return (
    <>
      <meter
        class="for-screen-readers"
        min={0}
        max={100}
        value={Math.round(usage * 100)}
        aria-label={`KV blocks of ${engine.name} in use, in percent`}
      />
      <div class={usage >= fullShare ? 'gauge full' : 'gauge'} aria-hidden="true">
        <div style={{ width: `${usage * 100}%`, background: `var(${colour})` }} />
      </div>
    </>
  );
}

function Facts({ engine }: { readonly engine: EngineView }) {
  const { totals, rates } = engine;
  const report = currentReport(engine);
  const overall = report?.prefixCacheQueries
    ? (report.prefixCacheHits ?? 0) / report.prefixCacheQueries
    : null;
  return (
    <dl class="facts">
      <Fact name="running" value={count(report?.running)} />
      <Fact name="waiting" value={count(report?.waiting)} isWarning={(report?.waiting ?? 0) > 0} />
      <Fact
        name="hit rate"
        value={percent(overall, 1)}
        title={`Last 10 s: ${percent(rates?.hitRate, 1)}`}
      />
      <Fact
        name="preemptions"
        value={count(report?.preemptions)}
        isWarning={(report?.preemptions ?? 0) > 0}
      />
      <Fact name="tokens/s" value={rate(rates?.generationTokensPerSecond)} />
      <Fact name="requests" value={count(totals.requests)} title={`${totals.retries} retries`} />
      <Fact
        name="4xx"
        value={count(totals.clientErrors)}
        title="Responses with a status of 400 to 499"
        isWarning={totals.clientErrors > 0}
      />
      <Fact
        name="5xx"
        value={count(totals.serverErrors)}
        title="Responses with a status of 500 or above, and those that broke off"
        isWarning={totals.serverErrors > 0}
      />
    </dl>
  );
}

interface FactProps {
  readonly name: string;
  readonly value: string;
  readonly title?: string;
  readonly isWarning?: boolean;
}

function Fact({ name, value, title, isWarning }: FactProps) {
  return (
    <div class={isWarning ? 'warning' : ''} title={title}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
