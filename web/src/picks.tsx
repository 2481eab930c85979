// The router's last picks, each with its reason: the answer to "why this engine".
import { useEffect, useState } from 'preact/hooks';
import { count, shortUrl } from './format.ts';

/** One entry of GET /debug/picks. */
interface RecentPick {
  readonly requestId: string;
  readonly model: string | null;
  readonly promptTokens: number;
  readonly url: string;
  readonly reason: string;
  readonly cachedTokens: number;
}

interface PicksProps {
  /** Engine URLs in the order of the cards, with the colour of each. */
  readonly engines: readonly { readonly url: string; readonly colour: string }[];
  /** Show only this engine's. */
  readonly chosenUrl: string | undefined;
  readonly onClear: () => void;
  readonly isLive: boolean;
}

const pollMs = 1_500;
const rowsMax = 15;

export function Picks({ engines, chosenUrl, onClear, isLive }: PicksProps) {
  const [picks, setPicks] = useState<readonly RecentPick[]>([]);
  const [isPaused, setPaused] = useState(false);
  useEffect(() => {
    if (isPaused || !isLive) return;
    const stop = new AbortController();
    const load = async (): Promise<void> => {
      if (document.hidden) return;
      const response = await fetch('/debug/picks', { signal: stop.signal });
      if (response.ok) setPicks(newestFirst((await response.json()) as RecentPick[]));
    };
    const loadQuietly = (): void => {
      // The live connection says when the router is gone.
      load().catch(() => undefined);
    };
    loadQuietly();
    const timer = setInterval(loadQuietly, pollMs);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [isPaused, isLive]);

  const shown = picks
    .filter(({ url }) => chosenUrl === undefined || url === chosenUrl)
    .slice(0, rowsMax);
  return (
    <section class="card picks" aria-labelledby="picks-title">
      <header>
        <h2 id="picks-title">Recent picks</h2>
        {chosenUrl !== undefined && (
          <button type="button" onClick={onClear}>
            only {shortUrl(chosenUrl)} ✕
          </button>
        )}
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      </header>
      {shown.length === 0 ? (
        <p class="quiet">
          No requests yet. The terminal that runs Spillway shows a curl line to try.
        </p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">engine</th>
                <th scope="col" class="number">
                  prompt tokens
                </th>
                <th scope="col" class="number">
                  expected cached
                </th>
                <th scope="col">why</th>
                <th scope="col">request</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((pick) => (
                <tr key={`${pick.requestId} ${pick.url}`}>
                  <td class="nowrap">{engineLabel(pick.url, engines)}</td>
                  <td class="number">{count(pick.promptTokens)}</td>
                  <td class="number">{count(pick.cachedTokens)}</td>
                  <td class="why">{pick.reason}</td>
                  <td class="quiet request">{pick.requestId}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function engineLabel(url: string, engines: PicksProps['engines']) {
  const index = engines.findIndex((engine) => engine.url === url);
  if (index < 0) return shortUrl(url);
  return (
    <>
      <span class="dot" style={{ background: `var(${engines[index]?.colour})` }} />
      Engine {index + 1}
    </>
  );
}

function newestFirst(picks: readonly RecentPick[]): readonly RecentPick[] {
  return picks.toReversed();
}
