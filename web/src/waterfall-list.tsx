// The last requests as bars: time in the router, in prefill and in decode, and the scores of their picks.
import type { PickView, RequestView } from '../../src/core/views/index.ts';
import { count, latency } from './format.ts';
import { scoresOf, type WaterfallPart, type WaterfallRow, waterfallOf } from './waterfall.ts';

interface WaterfallListProps {
  /** Newest first. */
  readonly requests: readonly RequestView[];
  readonly picks: readonly PickView[];
}

const partTitles: Readonly<Record<WaterfallPart['name'], string>> = {
  router: 'in the router, with its queue',
  prefill: 'until the first token: the engine’s queue and prefill',
  decode: 'decode',
  engine: 'on the engine',
};

/** Candidates that are listed for a request. */
const candidatesMax = 6;

export function WaterfallList({ requests, picks }: WaterfallListProps) {
  const rows = waterfallOf(requests, picks);
  const longest = Math.max(...rows.map(({ request }) => request.seconds), 1e-6);
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {(['router', 'prefill', 'decode', 'engine'] as const).map((name) => (
          <li key={name}>
            <span class={`swatch part-${name}`} />
            {partTitles[name]}
          </li>
        ))}
      </ul>
      <ol class="waterfall">
        {rows.map((row) => (
          <Row
            key={`${row.request.requestId} ${row.request.atSeconds}`}
            row={row}
            longest={longest}
          />
        ))}
      </ol>
    </>
  );
}

function Row({ row, longest }: { readonly row: WaterfallRow; readonly longest: number }) {
  const { request, parts, pick } = row;
  const described = parts.map(({ name, seconds }) => `${partTitles[name]} ${latency(seconds)}`);
  return (
    <li>
      <details>
        <summary>
          <span class="cut waterfall-name">
            {request.engine ?? 'no engine'}
            <span class={request.status >= 400 ? 'bad' : 'quiet'}>
              {' '}
              {request.outcome === 'cancelled' ? 'cancelled' : request.status}
            </span>
          </span>
          <span class="waterfall-bar" role="img" aria-label={described.join(', ')}>
            {parts.map(({ name, seconds }) => (
              <span
                key={name}
                class={`part-${name}`}
                style={{ width: `${(100 * seconds) / longest}%` }}
                title={`${partTitles[name]}: ${latency(seconds)}`}
              />
            ))}
          </span>
          <span class="number">{latency(request.seconds)}</span>
        </summary>
        <Tiers request={request} />
        {pick && <PickScores pick={pick} attempts={request.attempts} />}
        <p class="quiet request">{request.requestId}</p>
      </details>
    </li>
  );
}

/** Where the tokens of the prompt came from. */
function Tiers({ request }: { readonly request: RequestView }) {
  const { promptTokens, cachedTokens, outputTokens } = request;
  const output = outputTokens === null ? '' : `, ${count(outputTokens)} tokens generated`;
  if (cachedTokens === null) {
    return (
      <p>
        {count(promptTokens)} prompt tokens{output}; the response does not say how many were cached
        (--enable-prompt-tokens-details).
      </p>
    );
  }
  return (
    <p>
      {count(promptTokens)} prompt tokens: {count(cachedTokens)} from a cache,{' '}
      {count(Math.max(0, promptTokens - cachedTokens))} computed{output}.
    </p>
  );
}

function PickScores(props: { readonly pick: PickView; readonly attempts: number }) {
  const { pick, attempts } = props;
  const scores = scoresOf(pick, (url) => url.replace(/^https?:\/\//, ''));
  return (
    <>
      <p>
        {attempts > 1 ? `Attempt ${attempts}: ` : ''}
        {pick.reason}; {count(pick.cachedTokens)} tokens were expected to be cached.
      </p>
      {pick.scores !== null && (
        <table class="scores">
          <caption class="for-screen-readers">Scores of the candidates</caption>
          <thead>
            <tr>
              <th scope="col">candidate</th>
              <th scope="col" class="number">
                score
              </th>
            </tr>
          </thead>
          <tbody>
            {scores.slice(0, candidatesMax).map(({ name, score, isPicked }) => (
              <tr key={name} class={isPicked ? 'picked' : ''}>
                <td>
                  {name}
                  {isPicked && ' (picked)'}
                </td>
                <td class="number">{score === null ? 'none' : Number(score.toPrecision(4))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {scores.length > candidatesMax && (
        <p class="quiet">and {count(scores.length - candidatesMax)} more candidates</p>
      )}
    </>
  );
}
