// The clients of `closedLoop` at an engine model: the reference for the closed loop, and the cost of having no
// second scheduler.
import { seededRandom } from '../../src/core/base/index.ts';
import {
  defaultEngineConfig,
  EngineModel,
  type EngineRequest,
} from '../../src/core/engine/index.ts';
import type { ClosedLoopOptions, ClosedLoopResult } from '../../src/core/simulation/index.ts';

interface Sent {
  readonly request: EngineRequest;
  readonly arrivesSeconds: number;
  firstSeconds: number;
  hasWaited: boolean;
}

/** @param blockTokens Tokens of a KV block; the closed loop counts KV in tokens. */
export function engineLoop(options: ClosedLoopOptions, blockTokens: number): ClosedLoopResult {
  const { arrivalSeconds = 0, plansAhead = false, shortest = 0.8 } = options;
  const { maxNumSeqs, maxNumBatchedTokens, promptTokens, outputTokens } = options;
  const blocks = Math.floor(options.kvTokensMax / blockTokens);
  const engine = new EngineModel({
    cost: options.cost,
    config: defaultEngineConfig({
      ...{ maxNumSeqs, maxNumBatchedTokens, enablePrefixCaching: false },
      ...{ blockSize: blockTokens, numGpuBlocks: blocks + 1 },
      maxModelLen: Math.min(blocks * blockTokens, promptTokens + outputTokens + 1),
    }),
  });
  const random = seededRandom(options.seed ?? 1);
  const draw = (longest: number) =>
    Math.max(1, Math.round(longest * (shortest + (1 - shortest) * random.next())));
  const coming: Sent[] = [];
  const inside = new Map<string, Sent>();
  let waiting: Sent[] = [];
  let [now, plannedSeconds, sent, finished, ttft, tpot, tpotCount, waited] = [
    0, 0, 0, 0, 0, 0, 0, 0,
  ];
  const send = () => {
    if (sent === options.requests) return;
    const request = {
      ...{ id: String(sent++), promptTokens: draw(promptTokens), maxTokens: draw(outputTokens) },
      ...{ priority: 0, arrivalSeconds: now, blockKey: (block: number) => block },
    };
    const times = { arrivesSeconds: now + arrivalSeconds, firstSeconds: NaN };
    coming.push({ request, ...times, hasWaited: false });
  };
  for (let client = 0; client < options.clients; client++) send();
  while (finished < options.requests) {
    while (coming[0] && coming[0].arrivesSeconds <= plannedSeconds) {
      const arrived = coming.shift() as Sent;
      inside.set(arrived.request.id, arrived);
      waiting.push(arrived);
      engine.add(arrived.request);
    }
    const step = engine.scheduleRun(now);
    if (step === undefined) {
      if (coming[0] === undefined) throw new Error('The engine model makes no progress');
      now = Math.max(now, coming[0].arrivesSeconds);
      plannedSeconds = now;
      continue;
    }
    if (coming[0]) engine.cutRun(coming[0].arrivesSeconds);
    for (const { id } of step.preempted) {
      const preempted = inside.get(id) as Sent;
      preempted.hasWaited = true;
      waiting.unshift(preempted);
    }
    if (waiting.length > 0) {
      // Requests at the front were admitted; if tokens are left over, the others lack space.
      waiting = waiting.slice(waiting.length - engine.stats.waiting);
      const lackPlace = step.load.tokens < maxNumBatchedTokens;
      if (lackPlace) for (const one of waiting) one.hasWaited = true;
    }
    const { endsSeconds, startSeconds } = step;
    now = step.endSeconds;
    plannedSeconds = plansAhead ? (endsSeconds.at(-2) ?? startSeconds) : now;
    engine.complete(step, ({ id, maxTokens, arrivalSeconds: sentSeconds }, index) => {
      const one = inside.get(id) as Sent;
      if (index === 0) {
        one.firstSeconds = now;
        ttft += now - sentSeconds;
      }
      if (index + 1 < maxTokens) return false;
      inside.delete(id);
      finished++;
      waited += one.hasWaited ? 1 : 0;
      if (maxTokens > 1) {
        tpot += (now - one.firstSeconds) / (maxTokens - 1);
        tpotCount++;
      }
      send();
      return false;
    });
  }
  return {
    meanTtftSeconds: ttft / finished,
    meanTpotSeconds: tpot / Math.max(1, tpotCount),
    waitedShare: waited / finished,
  };
}
