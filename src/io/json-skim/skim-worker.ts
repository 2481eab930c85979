// The skimming thread: processes one body after the other.
import { parentPort } from 'node:worker_threads';
import { JsonSyntaxError, skimJsonObject } from '../../core/protocol/index.ts';
import type { SkimRequest, SkimResponse } from './skim-messages.ts';

parentPort?.on('message', ({ bytes, keys }: SkimRequest) => {
  let response: SkimResponse;
  try {
    response = { bytes, spans: skimJsonObject(bytes, keys) };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    response = { bytes, syntaxError: error.message };
  }
  parentPort?.postMessage(response, [bytes.buffer as ArrayBuffer]);
});
