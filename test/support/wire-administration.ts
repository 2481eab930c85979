// Runs the recorded requests to the administrative routes of real vLLM against an embedded engine.
import { readFileSync } from 'node:fs';
import { createEngineServer } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

/** One request to a real vLLM and its response. */
interface Recorded extends Answer {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly requestType?: string;
  /** Reason why our response may differ. */
  readonly free?: string;
}

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly answer: string;
}

export interface AdministrationResult {
  readonly route: string;
  readonly request: string;
  readonly real: Answer;
  readonly own: Answer;
  /** Whether status, type and body must be identical. */
  readonly isSame: boolean;
}

/** Sends all requests in order: the effects of one are visible in the responses to later ones. */
export async function runAdministration(): Promise<AdministrationResult[]> {
  const server = await createEngineServer({
    ...{ devMode: true, profiler: true, port: 0, model: 'tiny' },
    tokenizer: await loadTokenizer(),
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    cost: { stepSeconds: () => 0.001 },
  });
  const file = new URL('../conformance/vllm-wire/dev-mode.jsonl', import.meta.url);
  const results: AdministrationResult[] = [];
  try {
    for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
      const recorded = JSON.parse(line) as Recorded;
      const own = await send(server.url, recorded);
      if (recorded.free !== undefined) continue;
      const { method, path, body = '', status, contentType, answer } = recorded;
      const real = { status, ...(contentType && { contentType }), answer };
      results.push({
        route: `${method} ${path.replace(/\?.*/, '')}`,
        request: `${method} ${path} ${body}`,
        ...{ real, own },
        isSame: JSON.stringify(real) === JSON.stringify(own),
      });
    }
  } finally {
    await server.close();
  }
  return results;
}

async function send(url: string, { method, path, body, requestType }: Recorded): Promise<Answer> {
  const answer = await fetch(url + path, {
    method,
    ...(body !== undefined && {
      body,
      headers: { 'content-type': requestType ?? 'application/json' },
    }),
  });
  const contentType = answer.headers.get('content-type');
  return {
    status: answer.status,
    ...(contentType !== null && { contentType }),
    answer: await answer.text(),
  };
}
