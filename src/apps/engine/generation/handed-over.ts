// What a response says about KV that is kept for another engine.
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';

/**
 * `kv_transfer_params` of a response that is not streamed; null if nothing is kept.
 *
 * @see vllm/distributed/kv_transfer/kv_connector/v1/nixl/base_scheduler.py, `request_finished`
 */
export function keptParams(
  engine: EmbeddedEngine,
  sequences: readonly GeneratedSequence[],
): object | null {
  const { sideChannel } = engine;
  const kept = sequences.find(
    ({ transfer, finishReason }) => transfer?.kind === 'keep' && finishReason === 'length',
  );
  if (kept === undefined || sideChannel === undefined) return null;
  return {
    ...{ do_remote_prefill: true, do_remote_decode: false },
    remote_block_ids: kept.keptBlocks,
    remote_engine_id: sideChannel.engineId,
    remote_request_id: kept.id,
    ...{ remote_host: sideChannel.host, remote_port: sideChannel.port },
    tp_size: engine.options.tensorParallelSize ?? 1,
    remote_num_tokens: kept.promptTokens,
  };
}
