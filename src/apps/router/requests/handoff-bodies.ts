// The bodies of disaggregated prefill: of the request that only prefills, of its response, and of the request that
// continues it. Bodies of clients are not parsed and written again, which would lose digits of large numbers: keys are
// put before or behind theirs, and engines take the last of equal keys.
import type { SentBody } from './sent-body.ts';

/** Routes whose bodies have `max_tokens` and whose responses have `kv_transfer_params`, as upstream's. */
export type SplitKind = 'chat' | 'completions';

/** The request for an engine that computes a prompt and keeps its KV for another; upstream's, with nulls as NIXL asks. */
const remoteDecode = {
  do_remote_decode: true,
  do_remote_prefill: false,
  remote_engine_id: null,
  remote_block_ids: null,
  remote_host: null,
  remote_port: null,
};

const noText = { stream: false, stream_options: null, n: 1, max_tokens: 1, min_tokens: 0 };

/** Keys with which a prompt has several responses, or its KV comes from elsewhere; as they stand in JSON, not in text. */
const unsplitKeys =
  /"(?:n|best_of)"\s*:\s*(?:[2-9]|1\d)|"use_beam_search"\s*:\s*true|"kv_transfer_params"\s*:\s*\{/;

/** Larger bodies, some 250,000 tokens, are not split: to search and copy one would hold up all other requests. */
const splitBytesMax = 1 << 20;

/** Whether a request can be prefilled on one engine and decoded on another. */
export function isSplittable(body: Buffer): boolean {
  return body.length <= splitBytesMax && !unsplitKeys.test(body.toString('latin1'));
}

/**
 * The body for an engine that only prefills: one token, not streamed.
 *
 * @param body A JSON object.
 * @param asksForParams Whether the engine is to keep the KV, and to say where it is.
 */
export function withoutOutput(body: Buffer, kind: SplitKind, asksForParams: boolean): Buffer {
  const keys = {
    ...noText,
    ...(kind === 'chat' && { max_completion_tokens: 1 }),
    ...(asksForParams && { kv_transfer_params: remoteDecode }),
  };
  const end = body.lastIndexOf('}');
  return Buffer.concat([
    body.subarray(0, end),
    Buffer.from(`,${JSON.stringify(keys).slice(1)}`, 'latin1'),
  ]);
}

/**
 * What the response of an engine that prefilled says about where the KV is, for the body of the next one.
 *
 * @param host Of that engine. Engines that know only a loopback address of theirs, as vLLM does by default, are on it.
 * @returns ASCII JSON; undefined if it says nothing.
 */
export function handoffParams(response: Buffer, host: string): string | undefined {
  let params: unknown;
  try {
    params = (JSON.parse(response.toString('utf8')) as Record<string, unknown>)[
      'kv_transfer_params'
    ];
  } catch {
    return undefined;
  }
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return undefined;
  const { remote_host: given } = params as { readonly remote_host?: unknown };
  const isReachable = typeof given === 'string' && !loopback.test(given);
  const complete = isReachable ? params : { ...params, remote_host: host };
  return JSON.stringify(complete).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const loopback = /^(?:localhost|127\.[\d.]+|0\.0\.0\.0|\[?::1?\]?)$/;

/** A body with `kv_transfer_params` for the engine that decodes. @param body A JSON object. */
export function withHandoff({ start, rest }: SentBody, params: string): SentBody {
  const key = `{"kv_transfer_params":${params},`;
  if (start !== '') return { start: key + start.slice(start.indexOf('{') + 1), rest };
  return { start: key, rest: rest.subarray(rest.indexOf('{') + 1) };
}
