import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorkload, type Workload } from '../../core/workload/index.ts';
import { loadApis } from './load-api.ts';
import type { LoadRequest, PromptPart } from './request-body.ts';
import { workloadLoad } from './workload-load.ts';

const chat: Workload = {
  kind: 'multi-round-qa',
  settings: {
    ...{ users: 1, rounds: 3, qps: 2, sharedSystemPrompt: 50, userHistoryPrompt: 100 },
    ...{ question: 20, answerLen: 9 },
  },
  arrivals: undefined,
  requests: 6,
  seconds: undefined,
};

function started(workload: Workload, timeScale = 1) {
  const sent: LoadRequest[] = [];
  const source = workloadLoad(startWorkload(workload, { blockTokens: 16, seed: 1 }), {
    writer: {
      api: loadApis.chat,
      body: (request) => {
        sent.push(request);
        return new Uint8Array();
      },
      serverTokens: ({ promptTokens }) => promptTokens,
    },
    timeScale,
    modelOf: (adapter) => `adapter-${adapter}`,
  });
  return { source, sent };
}

test('a prompt contains the responses that the server gave before it', () => {
  const { source, sent } = started({ ...chat, requests: 30 });
  for (let index = 0; Number.isFinite(source.nextSeconds); index++) {
    const atSeconds = source.nextSeconds;
    source.take();
    source.ended(index, atSeconds, index % 7 === 3 ? undefined : `response ${index}`);
  }
  assert.equal(sent.length, 30);
  const before = new Map<
    string,
    { readonly parts: readonly PromptPart[]; readonly index: number }
  >();
  let continued = 0;
  sent.forEach(({ session = '', parts = [] }, index) => {
    const last = before.get(session);
    if (last !== undefined) {
      continued++;
      const response = parts[last.parts.length];
      assert.deepEqual(parts.slice(0, last.parts.length), last.parts);
      // A response that failed is made of words, so that the prompt keeps its length.
      if (last.index % 7 === 3)
        assert.ok(response && 'tokens' in response && response.tokens === 9);
      else assert.deepEqual(response, { response: `response ${last.index}` });
      assert.equal(parts.length, last.parts.length + 2);
    }
    before.set(session, { parts, index });
  });
  assert.ok(continued > 10);
  const systems = new Set(sent.map(({ parts = [] }) => JSON.stringify(parts[0])));
  const histories = new Set(sent.map(({ parts = [] }) => JSON.stringify(parts[1])));
  assert.deepEqual([systems.size, histories.size], [1, before.size]);
});

test('times are wall-clock times of engines that run faster than their GPU', () => {
  const [plain, fast] = [started(chat).source, started(chat, 10).source];
  for (const source of [plain, fast]) {
    source.take();
    source.ended(0, 0, 'ok');
  }
  assert.ok(plain.nextSeconds > 0);
  assert.equal(fast.nextSeconds, plain.nextSeconds / 10);
});
