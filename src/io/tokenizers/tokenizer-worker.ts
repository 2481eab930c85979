// The tokenizing thread: reads tokenizers, and tokenizes one long prompt after the other.
import { parentPort } from 'node:worker_threads';
import { PromptTokenizer } from '../../core/prompts/index.ts';
import { findTokenizer, type TokenizerSearch } from './find-tokenizer.ts';
import { sharedDefinition, tokenizerOf } from './shared-definition.ts';
import type { ThreadRequest, ThreadResponse } from './thread-messages.ts';

const tokenizers = new Map<string, PromptTokenizer>();

parentPort?.on('message', (request: ThreadRequest) => {
  switch (request.kind) {
    case 'find':
      void find(request.id, request.search);
      break;
    case 'use':
      tokenizers.set(request.name, new PromptTokenizer(tokenizerOf(request.definition)));
      break;
    case 'drop':
      tokenizers.delete(request.name);
      break;
    case 'tokenize':
      tokenize(request);
  }
});

async function find(id: number, search: TokenizerSearch): Promise<void> {
  try {
    const { definition, origin } = await findTokenizer(search);
    const shared = sharedDefinition(definition);
    // Fails here if this kind of tokenizer is not supported.
    tokenizerOf(shared);
    send({ id, definition: shared, origin });
  } catch (error) {
    send({ id, problem: error instanceof Error ? error.message : String(error) });
  }
}

function tokenize({ id, name, api, body }: Extract<ThreadRequest, { kind: 'tokenize' }>): void {
  const result = tokenizers.get(name)?.tokenize(api, parsed(body)) ?? 'unsupported';
  if (typeof result === 'string') send({ id, not: result });
  else
    parentPort?.postMessage({ id, ...result } satisfies ThreadResponse, [
      result.tokens.buffer as ArrayBuffer,
    ]);
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    return undefined;
  }
}

function send(response: ThreadResponse): void {
  parentPort?.postMessage(response);
}
