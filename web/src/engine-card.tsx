// One engine: its gauge of KV blocks with a time line, its queues, hit rate, preemptions and state.
import type { EngineSnapshot } from '../../src/apps/up/snapshot.ts';
import { Chart } from './chart.tsx';
import { count, percent, rate, shortUrl } from './format.ts';
import { type EnginePoint, type EngineRates, ratesAt } from './history.ts';

interface EngineCardProps {
  readonly engine: EngineSnapshot;
  readonly number: number;
  /** CSS custom property with the engine's colour. */
  readonly colour: string;
  readonly points: readonly EnginePoint[];
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

/** Above this share of blocks vLLM is about to preempt. */
const fullShare = 0.92;

export function EngineCard(props: EngineCardProps) {
  const { engine, number, colour, points } = props;
  const { reported, load } = engine;
  const rates = ratesAt(points);
  const usage = reported?.kvUsage ?? 0;
  return (
    <article class={`card engine state-${engine.state}`} aria-label={`Engine ${number}`}>
      <header>
        <button
          type="button"
          class="engine-name"
          aria-pressed={props.isChosen}
          title="Show only this engine's picks"
          onClick={props.onChoose}
        >
          <span class="dot" style={{ background: `var(${colour})` }} />
          Engine {number}
        </button>
        <span class={`state state-${engine.state}`} title={engine.reason}>
          {engine.state}
        </span>
      </header>
      <p class="quiet address" title={engine.serving_models.join(', ')}>
        {shortUrl(engine.url)} · {engine.serving_models.join(', ')}
      </p>
      <div class="gauge-line">
        <span>KV blocks</span>
        <strong>{percent(reported?.kvUsage)}</strong>
        <span class="quiet">
          {count(reported?.blocksUsed)} / {count(reported?.blocksTotal)}
        </span>
      </div>
      <meter
        class="for-screen-readers"
        min={0}
        max={100}
        value={Math.round(usage * 100)}
        aria-label={`KV blocks of engine ${number} in use, in percent`}
      />
      <div class={usage >= fullShare ? 'gauge full' : 'gauge'} aria-hidden="true">
        <div style={{ width: `${usage * 100}%`, background: `var(${colour})` }} />
      </div>
      <Chart
        times={points.map(({ atSeconds }) => atSeconds)}
        series={[
          {
            label: 'KV blocks in use',
            colour,
            values: points.map(({ kvUsage }) => kvUsage),
            filled: true,
          },
        ]}
        height={52}
        max={1}
        format={(value) => percent(value)}
        isBare
        description={`KV blocks of engine ${number} over the last five minutes`}
      />
      <Facts engine={engine} rates={rates} />
      <p class="quiet">
        router's count: {count(load.inflight)} in flight, {count(load.prefillTokens)} tokens in
        prefill, {count(load.decodeTokens)} in decode
      </p>
    </article>
  );
}

function Facts({ engine, rates }: { engine: EngineSnapshot; rates: EngineRates }) {
  const { reported, totals } = engine;
  const overall = reported?.prefixCacheQueries
    ? (reported.prefixCacheHits ?? 0) / reported.prefixCacheQueries
    : null;
  return (
    <dl class="facts">
      <Fact name="running" value={count(reported?.running)} />
      <Fact
        name="waiting"
        value={count(reported?.waiting)}
        isWarning={(reported?.waiting ?? 0) > 0}
      />
      <Fact
        name="hit rate"
        value={percent(overall, 1)}
        title={`Last 10 s: ${percent(rates.hitRate, 1)}`}
      />
      <Fact
        name="preemptions"
        value={count(reported?.preemptions)}
        isWarning={(reported?.preemptions ?? 0) > 0}
      />
      <Fact name="tokens/s" value={rate(rates.generationTokensPerSecond)} />
      <Fact
        name="requests"
        value={count(totals.requests)}
        title={`${totals.errors} errors, ${totals.retries} retries`}
        isWarning={totals.errors > 0}
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
