// The engines: cards for a small fleet, rows that open for a large one, with sorting and filtering.
import { useState } from 'preact/hooks';
import { currentReport, type EngineView } from '../../src/core/views/index.ts';
import { EmulatedMark } from './emulated.tsx';
import {
  EngineCard,
  EngineDetails,
  EngineState,
  Gauge,
  hasReason,
  stateClass,
} from './engine-card.tsx';
import { type EngineQuery, engineSorts, type StateFilter, selectEngines } from './engine-list.ts';
import { count, latency, percent, rate } from './format.ts';
import type { History } from './history.ts';

/** Larger fleets are shown as rows. Style.css has as many colours of engines. */
export const cardsMax = 8;
/** Rows shown before "show more", and added by it. */
const rowsStep = 50;

interface EnginesProps {
  readonly engines: readonly EngineView[];
  readonly colours: ReadonlyMap<string, string>;
  readonly history: History;
  readonly rangeSeconds: number;
  readonly chosenUrl: string | undefined;
  readonly onChoose: (url: string) => void;
  /** URLs of the rows that are open. */
  readonly openUrls: ReadonlySet<string>;
  readonly onOpen: (url: string) => void;
}

export function Engines(props: EnginesProps) {
  const { engines, colours, history, rangeSeconds, chosenUrl, onChoose } = props;
  const [query, setQuery] = useState<EngineQuery>({ text: '', state: 'all', sort: 'listed' });
  const [rowsMax, setRowsMax] = useState(rowsStep);
  const selected = selectEngines(engines, query);
  const isLarge = engines.length > cardsMax;
  const shown = isLarge ? selected.slice(0, rowsMax) : selected;
  const propsOf = (engine: EngineView) => ({
    engine,
    colour: colours.get(engine.url) ?? '--accent',
    points: history.engines.get(engine.url),
    rangeSeconds,
    isChosen: chosenUrl === engine.url,
    onChoose: () => onChoose(engine.url),
  });
  return (
    <section class="engine-section" aria-label="Engines">
      {engines.length > 2 && (
        <Toolbar query={query} onQuery={setQuery} found={selected.length} total={engines.length} />
      )}
      {selected.length === 0 && (
        <p class="card quiet">
          {engines.length === 0 ? 'The router has no engines.' : 'No engine matches.'}
        </p>
      )}
      {isLarge ? (
        <div class="rows card">
          <RowTitles />
          {shown.map((engine) => (
            <EngineRow
              key={engine.url}
              {...propsOf(engine)}
              isOpen={props.openUrls.has(engine.url)}
              onOpen={() => props.onOpen(engine.url)}
            />
          ))}
        </div>
      ) : (
        <div class="engines">
          {shown.map((engine) => (
            <EngineCard key={engine.url} {...propsOf(engine)} />
          ))}
        </div>
      )}
      {shown.length < selected.length && (
        <button type="button" onClick={() => setRowsMax(rowsMax + rowsStep)}>
          Show {Math.min(rowsStep, selected.length - shown.length)} more of{' '}
          {selected.length - shown.length}
        </button>
      )}
    </section>
  );
}

interface ToolbarProps {
  readonly query: EngineQuery;
  readonly onQuery: (query: EngineQuery) => void;
  readonly found: number;
  readonly total: number;
}

function Toolbar({ query, onQuery, found, total }: ToolbarProps) {
  return (
    <div class="toolbar">
      <input
        type="search"
        placeholder="Filter engines"
        aria-label="Filter engines by name, address or model"
        value={query.text}
        onInput={(event) => onQuery({ ...query, text: event.currentTarget.value })}
      />
      <select
        aria-label="State of engines"
        value={query.state}
        onChange={(event) => onQuery({ ...query, state: event.currentTarget.value as StateFilter })}
      >
        <option value="all">all states</option>
        <option value="live">live</option>
        <option value="not-live">not live</option>
      </select>
      <label>
        <span class="quiet">sort by </span>
        <select
          aria-label="Order of engines"
          value={query.sort}
          onChange={(event) =>
            onQuery({ ...query, sort: event.currentTarget.value as EngineQuery['sort'] })
          }
        >
          {engineSorts.map(([sort, label]) => (
            <option key={sort} value={sort}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <span class="quiet" role="status">
        {found === total ? `${count(total)} engines` : `${count(found)} of ${count(total)} engines`}
      </span>
    </div>
  );
}

function RowTitles() {
  return (
    <div class="row titles quiet" aria-hidden="true">
      {['engine', 'state', 'KV blocks', ''].map((title) => (
        <span key={title}>{title}</span>
      ))}
      {['running', 'waiting', 'tokens/s', 'TTFT p90', '4xx · 5xx'].map((title) => (
        <span key={title} class="number">
          {title}
        </span>
      ))}
    </div>
  );
}

type EngineRowProps = Parameters<typeof EngineCard>[0] & {
  readonly isOpen: boolean;
  readonly onOpen: () => void;
};

function EngineRow(props: EngineRowProps) {
  const { engine, colour, isOpen, onOpen } = props;
  const report = currentReport(engine);
  const { clientErrors, serverErrors } = engine.totals;
  return (
    <article class={`state-${engine.state}`} aria-label={engine.name}>
      <button type="button" class="row" aria-expanded={isOpen} onClick={onOpen}>
        <span class="row-name">
          <span class="cut">{engine.name}</span>
          <EmulatedMark engines={[engine]} />
        </span>
        <EngineState engine={engine} />
        <span class="row-gauge">
          <Gauge engine={engine} colour={colour} />
        </span>
        <span class="number">{percent(report?.kvUsage)}</span>
        <Figure name="running" isEssential value={count(report?.running)} />
        <Figure
          name="waiting"
          isEssential
          value={count(report?.waiting)}
          isWarning={(report?.waiting ?? 0) > 0}
        />
        <Figure name="tokens/s" value={rate(engine.rates?.generationTokensPerSecond)} />
        <Figure name="TTFT p90" isEssential value={latency(engine.latencies.ttft?.p90)} />
        <Figure
          name="4xx · 5xx"
          value={`${count(clientErrors)} · ${count(serverErrors)}`}
          isWarning={clientErrors + serverErrors > 0}
        />
        {hasReason(engine) && (
          <span class={`row-reason ${stateClass(engine)}`}>{engine.reason}</span>
        )}
      </button>
      {isOpen && (
        <div class="opened">
          <button type="button" aria-pressed={props.isChosen} onClick={props.onChoose}>
            Only its picks and requests
          </button>
          <EngineDetails {...props} />
        </div>
      )}
    </article>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly isWarning?: boolean;
  /** Whether narrow windows show it. */
  readonly isEssential?: boolean;
}

/** A figure of a row; its name shows where the row has no column titles. */
function Figure({ name, value, isWarning, isEssential }: FigureProps) {
  const classes = ['number figure', isWarning && 'warn', isEssential && 'essential'];
  return (
    <span class={classes.filter(Boolean).join(' ')}>
      <span class="figure-name quiet">{name} </span>
      {value}
    </span>
  );
}
