// Reads a recorded run of a real vLLM: what it was asked, and when it answered.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export interface RecordedRequest {
  /** When the client sent it, from the first request's send. */
  readonly arrivalSeconds: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Chained ids of the prompt's blocks; the last is of a partial block unless it divides. */
  readonly hashIds: readonly number[];
  /** From vLLM's own clock, from the first request's queueing. */
  readonly queuedSeconds: number;
  readonly firstTokenSeconds: number;
  readonly lastTokenSeconds: number;
}

export interface RecordedRun {
  readonly name: string;
  readonly model: string;
  readonly tensorParallelSize: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly maxModelLen: number | undefined;
  /** Undefined where the recording does not say. */
  readonly numGpuBlocks: number | undefined;
  readonly requests: readonly RecordedRequest[];
}

/** Reads `NAME.meta.json` and `NAME.jsonl.gz`. */
export function readRecordedRun(directory: string, name: string): RecordedRun {
  const meta = JSON.parse(readFileSync(join(directory, `${name}.meta.json`), 'utf8')) as Meta;
  const lines = gunzipSync(readFileSync(join(directory, `${name}.jsonl.gz`)))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const start = Math.min(...lines.map(({ timestamp }) => timestamp));
  return {
    name,
    model: meta.model,
    tensorParallelSize: meta.engine_kwargs.tensor_parallel_size,
    maxNumSeqs: meta.engine_kwargs.max_num_seqs,
    maxNumBatchedTokens: meta.engine_kwargs.max_num_batched_tokens,
    maxModelLen: meta.engine_kwargs.max_model_len ?? undefined,
    numGpuBlocks: meta.kv_cache?.num_gpu_blocks,
    requests: lines.map((line) => ({
      arrivalSeconds: (line.timestamp - start) / 1000,
      promptTokens: line.input_length,
      outputTokens: line.output_length,
      hashIds: line.hash_ids,
      queuedSeconds: line.vllm.queued_ms / 1000,
      firstTokenSeconds: line.vllm.first_token_ms / 1000,
      lastTokenSeconds: line.vllm.last_token_ms / 1000,
    })),
  };
}

interface Meta {
  model: string;
  engine_kwargs: {
    tensor_parallel_size: number;
    max_num_seqs: number;
    max_num_batched_tokens: number;
    max_model_len: number | null;
  };
  kv_cache?: { num_gpu_blocks: number };
}

interface Line {
  timestamp: number;
  input_length: number;
  output_length: number;
  hash_ids: number[];
  vllm: { queued_ms: number; first_token_ms: number; last_token_ms: number };
}
