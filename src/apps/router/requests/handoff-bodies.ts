// The bodies of disaggregated prefill: of the request that only prefills, of its response, and of the request that
// continues it. Bodies of clients are not parsed and written again, which would lose digits of large numbers: members are
// put behind theirs, in place of those of the same names.
import {
  jsonNumberAt,
  jsonTrueAt,
  skimJsonObject,
  withMembers,
} from '../../../core/protocol/index.ts';
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

/** What makes the response one token in one piece, without members that other engines than vLLM refuse. */
const noText = {
  ...{ stream: 'false', stream_options: undefined, n: undefined, min_tokens: undefined },
  max_tokens: '1',
};

/** Members with which a prompt has several responses, or its KV comes from elsewhere. */
const unsplitKeys = ['n', 'best_of', 'use_beam_search', 'kv_transfer_params'];

/** Larger bodies, some 250,000 tokens, are not split: to search and copy one would hold up all other requests. */
const splitBytesMax = 1 << 20;

/** Whether a request can be prefilled on one engine and decoded on another. @param body A JSON object. */
export function isSplittable(body: Buffer): boolean {
  if (body.length > splitBytesMax) return false;
  const spans = skimJsonObject(body, unsplitKeys);
  const [start, end] = [
    (key: number) => spans[2 * key] ?? -1,
    (key: number) => spans[2 * key + 1] ?? -1,
  ];
  const isSeveral = (key: number) => (jsonNumberAt(body, start(key), end(key)) ?? 1) > 1;
  const hasParams = start(3) >= 0 && body[start(3)] === byteOpenObject;
  return !isSeveral(0) && !isSeveral(1) && !jsonTrueAt(body, start(2), end(2)) && !hasParams;
}

const byteOpenObject = 0x7b;

/**
 * The body for an engine that only prefills: one token, not streamed.
 *
 * @param body A JSON object.
 * @param asksForParams Whether the engine is to keep the KV, and to say where it is.
 */
export function withoutOutput(body: Buffer, kind: SplitKind, asksForParams: boolean): Buffer {
  const [chatLimit = -1] = kind === 'chat' ? skimJsonObject(body, ['max_completion_tokens']) : [];
  return bufferOf(
    withMembers(body, {
      ...noText,
      ...(chatLimit >= 0 && { max_completion_tokens: '1' }),
      ...(asksForParams && { kv_transfer_params: JSON.stringify(remoteDecode) }),
    }),
  );
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

/** A body with `kv_transfer_params` for the engine that decodes. */
export function withHandoff({ start, rest, ...asks }: SentBody, params: string): SentBody {
  const body = start === '' ? rest : Buffer.concat([Buffer.from(start, 'latin1'), rest]);
  return { ...asks, start: '', rest: bufferOf(withMembers(body, { kv_transfer_params: params })) };
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
