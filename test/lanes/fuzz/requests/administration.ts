// Requests other than generation: a server's own information, routes of other models and modes, and
// wrong methods for all of them.
import type { Draw } from '../draw.ts';
import type { FuzzRequest } from './index.ts';
import { anyJson } from './texts.ts';

const paths: readonly string[] = `/health /ping /version /load /v1/models /kv_event_sources
  /tokenizer_info /server_info /v1/load_lora_adapter /v1/unload_lora_adapter /adapters /adapters/x
  /sleep /wake_up /is_sleeping /reset_prefix_cache /reset_mm_cache /reset_encoder_cache
  /collective_rpc /pause /resume /is_paused /start_profile /stop_profile /scale_elastic_ep
  /is_scaling_elastic_ep /abort_requests /inference/v1/abort_requests /inference/v1/generate
  /pooling /classify /score /v1/score /rerank /v1/rerank /v2/rerank /v1/embeddings /v2/embed
  /v1/audio/transcriptions /v1/audio/translations /v1/realtime /v2/chat /v1/responses/resp_x
  /v1/responses/resp_x/cancel /v1/responses/resp_x/input_items /v1/models/tiny /v1/files
  /generative_scoring /v1/systemone /invocations /docs/oauth2-redirect /favicon.ico / /v1/chat
  /v1/chat/completions/ /v1/completions/derender /v1/messages/batches /v1/complete
  /init_weight_transfer_engine /update_weights /get_world_size /v1/chat/completions/batch/render`
  .split(/\s+/)
  .filter((path) => path !== '');

const queries: readonly string[] = ['', '', '', '?x=1', '?level=1', '?mode=abort', '?tags=weights'];

export function administrationRequest(draw: Draw): FuzzRequest {
  const path = draw.pick(paths) + draw.pick(queries);
  const method = draw.pick(['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']);
  const isRead = method === 'GET' || method === 'HEAD';
  const body = isRead || draw.chance(0.4) ? undefined : bodyOf(draw);
  return { method, path, ...(body !== undefined && { body }) };
}

function bodyOf(draw: Draw): unknown {
  return (
    draw.make([
      { lora_name: 'a', lora_path: '/nowhere' },
      { request_ids: ['r-1'] },
      { request_ids: 'r-1' },
      { request_ids: [] },
      { request_ids: 5 },
      { model: 'tiny', input: 'Hi' },
      { model: 'tiny', query: 'Hi', documents: ['a'] },
      { method: 'x' },
      {},
      'not json',
      () => draw.pick(anyJson),
    ]) ?? 'null'
  );
}
