// The times of a request as parts of a bar: in the router, in prefill, in decode.
import type { PickView, RequestView } from '../../src/core/views/index.ts';

export interface WaterfallPart {
  readonly name: 'router' | 'prefill' | 'decode' | 'engine';
  readonly seconds: number;
}

export interface WaterfallRow {
  readonly request: RequestView;
  /** In the order of time; they add up to the whole. */
  readonly parts: readonly WaterfallPart[];
  /** The pick of its last attempt; undefined if the router no longer has it. */
  readonly pick: PickView | undefined;
}

/**
 * @param requests Newest first.
 * @param picks Newest first.
 */
export function waterfallOf(
  requests: readonly RequestView[],
  picks: readonly PickView[],
): WaterfallRow[] {
  return requests.map((request) => ({
    request,
    parts: partsOf(request),
    pick: picks.find(
      ({ requestId, url }) => requestId === request.requestId && url === request.url,
    ),
  }));
}

/** A response that was not streamed has no first token, so its time on the engine is one part. */
function partsOf({ seconds, sentSeconds, ttftSeconds }: RequestView): WaterfallPart[] {
  if (sentSeconds === null) return [{ name: 'router', seconds }];
  const inRouter = { name: 'router' as const, seconds: Math.min(sentSeconds, seconds) };
  // The client of a stream that moved had its first token before the last engine got it.
  if (ttftSeconds === null || ttftSeconds < sentSeconds) {
    return [inRouter, { name: 'engine', seconds: Math.max(0, seconds - sentSeconds) }];
  }
  return [
    inRouter,
    { name: 'prefill', seconds: ttftSeconds - sentSeconds },
    { name: 'decode', seconds: Math.max(0, seconds - ttftSeconds) },
  ];
}

/** The candidates of a pick with the numbers that decided, those with the smallest first. */
export function scoresOf(
  pick: PickView,
  nameOf: (url: string) => string,
): { readonly name: string; readonly score: number | null; readonly isPicked: boolean }[] {
  return pick.candidates
    .map((url, i) => ({
      ...{ name: nameOf(url), score: pick.scores?.[i] ?? null, isPicked: url === pick.url },
    }))
    .sort((a, b) => (a.score ?? 0) - (b.score ?? 0));
}
