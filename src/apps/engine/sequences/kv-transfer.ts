// What a request's `kv_transfer_params` ask of vLLM's NIXL connector.

/** Where the KV cache of a prompt is. */
export interface KvPlace {
  readonly host: string;
  /** Of the engine's side channel. */
  readonly port: number;
  /** The request's id there. */
  readonly requestId: string;
  /** Tokens of the prompt that were computed there; undefined for all. */
  readonly tokens: number | undefined;
}

/** `keep`: another engine will read the KV of the prompt. `read`: another engine has it. */
export type KvTransfer =
  | { readonly kind: 'keep' }
  | { readonly kind: 'read'; readonly from: KvPlace };

/**
 * @returns Undefined if nothing is asked, or the place is not complete, which vLLM logs and ignores.
 * @see vllm/distributed/kv_transfer/kv_connector/v1/nixl/base_scheduler.py
 */
export function kvTransferOf(
  params: Readonly<Record<string, unknown>> | null | undefined,
): KvTransfer | undefined {
  if (params?.['do_remote_decode'] === true) return { kind: 'keep' };
  if (params?.['do_remote_prefill'] !== true) return undefined;
  const { remote_host: host, remote_port: port, remote_request_id: requestId } = params;
  const tokens = params['remote_num_tokens'];
  if (typeof host !== 'string' || typeof requestId !== 'string') return undefined;
  if (!Number.isInteger(port) || Number(port) < 1 || Number(port) > 65_535) return undefined;
  const count = Number.isInteger(tokens) && Number(tokens) > 0 ? Number(tokens) : undefined;
  return { kind: 'read', from: { host, port: Number(port), requestId, tokens: count } };
}
