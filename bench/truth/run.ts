// Reads a recorded run of a real vLLM: its own timestamps of each request.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { RequestRecord } from '../../src/core/stats/index.ts';

/**
 * Reads the `vllm` timestamps of a `NAME.jsonl.gz`. Times start with the queueing of the first
 * request; the recording has only the first and the last token.
 */
export function readRecordedRun(path: string): RequestRecord[] {
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .trim()
    .split('\n')
    .map((text) => {
      const line = JSON.parse(text) as Line;
      const { queued_ms, first_token_ms, last_token_ms } = line.vllm;
      return {
        scheduledSeconds: queued_ms / 1000,
        sentSeconds: queued_ms / 1000,
        chunkSeconds: [first_token_ms / 1000, last_token_ms / 1000],
        promptTokens: line.input_length,
        outputTokens: line.output_length,
        cachedTokens: undefined,
        engine: undefined,
        error: undefined,
      };
    });
}

interface Line {
  readonly input_length: number;
  readonly output_length: number;
  readonly vllm: { queued_ms: number; first_token_ms: number; last_token_ms: number };
}
