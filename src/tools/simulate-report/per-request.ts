// `--per-request FILE`: one line of JSON per request of a simulated run.
import type { TimedHandoff, Timing } from '../../core/simulation/index.ts';

/** Returns one line per completed request, in the order of the trace; times are in milliseconds from its start. */
export function perRequestLines(timings: readonly Timing[], from: 'queued' | 'arrival'): string {
  return timings.map((timing) => `${JSON.stringify(lineOf(timing, from))}\n`).join('');
}

function lineOf(timing: Timing, from: 'queued' | 'arrival') {
  const { index, arrivalSeconds, queuedSeconds, tokenSeconds, promptTokens, cachedTokens } = timing;
  const start = from === 'queued' ? queuedSeconds : arrivalSeconds;
  const first = tokenSeconds[0] as number;
  const last = tokenSeconds.at(-1) as number;
  const tokens = tokenSeconds.length;
  return {
    index,
    input_length: promptTokens,
    output_length: tokens,
    cached_tokens: cachedTokens,
    engine: timing.engine,
    arrival_ms: arrivalSeconds * 1000,
    queued_ms: queuedSeconds * 1000,
    first_token_ms: first * 1000,
    last_token_ms: last * 1000,
    ttft_ms: (first - start) * 1000,
    tpot_ms: tokens > 1 ? ((last - first) * 1000) / (tokens - 1) : null,
    e2el_ms: (last - start) * 1000,
    ...(timing.handoff && handoffOf(timing.handoff)),
  };
}

function handoffOf({ prefillEngine, bytes, ...seconds }: TimedHandoff) {
  return {
    prefill_engine: prefillEngine,
    prefill_ms: seconds.prefillSeconds * 1000,
    handoff_wait_ms: seconds.waitSeconds * 1000,
    transfer_ms: seconds.transferSeconds * 1000,
    transfer_bytes: bytes,
  };
}
