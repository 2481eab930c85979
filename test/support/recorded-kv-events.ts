// Sessions recorded from a real vLLM 0.32.0: requests, each with the KV event messages that followed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeKvEventBatch,
  encodeKvEventBatch,
  type KvEventBatch,
} from '../../src/core/protocol/index.ts';

export interface RecordedRun {
  readonly run: string;
  readonly blockSize: number;
  readonly numGpuBlocks: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs: number;
  readonly hashAlgorithm: 'sha256' | 'sha256_cbor';
  readonly rawHashes: boolean;
  readonly steps: readonly RecordedStep[];
}

export interface RecordedStep {
  readonly step: string;
  readonly reset?: true;
  readonly requests?: readonly {
    readonly prompt: readonly number[];
    readonly output: readonly number[];
  }[];
  readonly cachedTokens?: number;
  readonly cacheSalt?: string;
  readonly sessionId?: string;
  readonly reportFull?: true;
  /** Payloads, hexadecimal. */
  readonly frames: readonly string[];
}

/** Reads a file next to the recordings. */
export function recordedText(name: string): string {
  return readFileSync(join(import.meta.dirname, '../integration/fixtures', name), 'utf8');
}

export function recordedRuns(): readonly RecordedRun[] {
  return JSON.parse(recordedText('vllm-kv-events.json')) as readonly RecordedRun[];
}

export function recordedBatch(frame: string): KvEventBatch {
  return decodeKvEventBatch(Buffer.from(frame, 'hex'));
}

/** Returns the hexadecimal payload of a batch, with the time of the recorded one. */
export function payloadAtTimeOf(
  frame: string | undefined,
  batch: Omit<KvEventBatch, 'timestampSeconds'>,
): string {
  const timestampSeconds = frame === undefined ? 0 : recordedBatch(frame).timestampSeconds;
  return Buffer.from(encodeKvEventBatch({ ...batch, timestampSeconds })).toString('hex');
}
