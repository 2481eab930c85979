// Sorting and filtering of the engines on the page.
import { currentReport, type EngineView } from '../../src/core/views/index.ts';

export type EngineSort =
  | 'listed'
  | 'name'
  | 'problems'
  | 'kv'
  | 'waiting'
  | 'running'
  | 'tokens'
  | 'ttft'
  | 'errors';

/** The orders that the page offers, with their labels. */
export const engineSorts: readonly (readonly [EngineSort, string])[] = [
  ['listed', 'as listed'],
  ['name', 'name'],
  ['problems', 'problems first'],
  ['kv', 'KV blocks in use'],
  ['waiting', 'waiting'],
  ['running', 'running'],
  ['tokens', 'tokens/s'],
  ['ttft', 'TTFT p90'],
  ['errors', 'errors'],
];

export type StateFilter = 'all' | 'live' | 'not-live';

export interface EngineQuery {
  /** Part of a name, a URL or a model, in any case. */
  readonly text: string;
  readonly state: StateFilter;
  readonly sort: EngineSort;
}

const collator = new Intl.Collator('en', { numeric: true });

/** The most urgent first. */
const stateOrder: readonly EngineView['state'][] = [
  'dead',
  'starting',
  'asleep',
  'draining',
  'live',
];

/** The engines that match, in the order that is asked for; equal ones by name. */
export function selectEngines(engines: readonly EngineView[], query: EngineQuery): EngineView[] {
  const text = query.text.trim().toLowerCase();
  const found = engines.filter((engine) => {
    if (query.state !== 'all' && (engine.state === 'live') !== (query.state === 'live')) {
      return false;
    }
    const { name, url, serving_models: models } = engine;
    return [name, url, ...models].some((part) => part.toLowerCase().includes(text));
  });
  if (query.sort === 'listed') return found;
  const rank = rankOf[query.sort];
  return found.sort((a, b) => rank(b) - rank(a) || collator.compare(a.name, b.name));
}

/** Larger comes first; unknown values come last. */
const rankOf: Readonly<Record<Exclude<EngineSort, 'listed'>, (engine: EngineView) => number>> = {
  name: () => 0,
  problems: ({ state, ejected, totals }) =>
    (stateOrder.length - stateOrder.indexOf(state) + (ejected ? 0.5 : 0)) * 1e9 +
    totals.serverErrors,
  kv: (engine) => currentReport(engine)?.kvUsage ?? -1,
  waiting: (engine) => currentReport(engine)?.waiting ?? -1,
  running: (engine) => currentReport(engine)?.running ?? -1,
  tokens: ({ rates }) => rates?.generationTokensPerSecond ?? -1,
  ttft: ({ latencies }) => latencies.ttft?.p90 ?? -1,
  errors: ({ totals }) => totals.clientErrors + totals.serverErrors,
};

/** How many of the engines are emulated; engines that have not responded yet count as real. */
export function emulatedPart(engines: readonly EngineView[]): 'none' | 'some' | 'all' {
  const emulated = engines.filter((engine) => engine.emulated).length;
  if (emulated === 0) return 'none';
  return emulated === engines.length ? 'all' : 'some';
}
