// `stream_interval`: one event for several tokens.
import type { TokenDelta } from '../sequences/generated-sequence.ts';

/**
 * Passes on the first delta and the last, and in between one for every `interval` tokens.
 *
 * @param interval 1 passes on each delta; Infinity collects all for the last.
 */
export function batchDeltas(
  interval: number,
  onDelta: (delta: TokenDelta) => void,
): (delta: TokenDelta) => void {
  if (interval <= 1) return onDelta;
  let isFirst = Number.isFinite(interval);
  let held: TokenDelta | undefined;
  return (delta) => {
    const joined: TokenDelta = held
      ? {
          ...delta,
          tokenIds: [...held.tokenIds, ...delta.tokenIds],
          text: held.text + delta.text,
        }
      : delta;
    if (isFirst || delta.finishReason !== null || joined.tokenIds.length >= interval) {
      isFirst = false;
      held = undefined;
      onDelta(joined);
    } else {
      held = joined;
    }
  };
}
