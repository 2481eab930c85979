// Compares engine model and roofline with latencies that others measured: so many clients at a
// time, each sending its next request when the one before is answered.
import { readFileSync } from 'node:fs';
import {
  EngineModel,
  engineConfigFor,
  findGpu,
  findModel,
  rooflineCost,
} from '../../src/core/engine/index.ts';

/** One measurement of a real vLLM; lengths in tokens. */
export interface MeasuredPoint {
  readonly gpu: string;
  readonly model: string;
  readonly weightBytesPerValue: 1 | 2;
  readonly tensorParallelSize: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly clients: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/**
 * The points of dense models in bf16 and fp8 that are not overloaded: where the wait for a place
 * in the KV cache is most of a TTFT, the length of the measurement decides it.
 */
export function readMeasuredPoints(path: string): MeasuredPoint[] {
  const [header = '', ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const names = header.split(',');
  return lines
    .map((line) => {
      const cells = line.split(',');
      return (name: string) => cells[names.indexOf(name)] ?? '';
    })
    .filter(
      (cell) =>
        ['Qwen/Qwen3-32B', 'meta-llama/Llama-3.1-70B'].includes(cell('model_path')) &&
        ['', 'fp8'].includes(cell('precision')) &&
        // Three points of another harness, with a prefix cache of unknown content.
        cell('moe_tp_size') !== '0',
    )
    .map(
      (cell): MeasuredPoint => ({
        gpu: cell('system').replace('_sxm', ''),
        model: cell('model_path'),
        weightBytesPerValue: cell('precision') === 'fp8' ? 1 : 2,
        tensorParallelSize: Number(cell('tp_size')),
        promptTokens: Number(cell('isl')),
        outputTokens: Number(cell('osl')),
        clients: Number(cell('batch_size')),
        ttftMs: Number(cell('silicon_ttft_ms')),
        tpotMs: Number(cell('silicon_tpot_ms')),
      }),
    )
    .filter(({ ttftMs }) => ttftMs < 3000);
}

/**
 * Mean time per output token, in milliseconds, after the first request of each client. (TTFT is
 * not compared: it hangs on how the clients were started, which the points do not say.)
 */
export function predictTpotMs(point: MeasuredPoint): number {
  // All at once, the clients would go on in step; so they start spread over one answer's time.
  const together = runClients(point, 0, 1);
  return runClients(point, together.answerSeconds, 3).tpotSeconds * 1000;
}

function runClients(point: MeasuredPoint, spreadSeconds: number, rounds: number) {
  const { promptTokens, outputTokens, clients, tensorParallelSize, weightBytesPerValue } = point;
  const layout = {
    model: findModel(point.model),
    gpu: findGpu(point.gpu),
    tensorParallelSize,
    weightBytesPerValue,
  };
  const config = engineConfigFor({ ...layout, gpuMemoryUtilization: 0.9 });
  const engine = new EngineModel({ config, cost: rooflineCost(layout) });
  const sent = new Map<string, { round: number; seconds: number; firstSeconds: number }>();
  const due = Array.from({ length: clients }, (_, i) => ({
    round: 0,
    seconds: (i * spreadSeconds) / clients,
  }));
  const counted: { ttft: number; answer: number }[] = [];
  let now = 0;
  for (;;) {
    for (let next = due[0]; next && next.seconds <= now; next = due[0]) {
      due.shift();
      const id = String(sent.size);
      sent.set(id, { round: next.round, seconds: next.seconds, firstSeconds: 0 });
      engine.add(
        {
          id,
          promptTokens,
          maxTokens: outputTokens,
          priority: 0,
          arrivalSeconds: now,
          blockKey: (block) => `${id}/${block}`,
        },
        now,
      );
    }
    const step = engine.schedule(now);
    if (step === undefined) {
      const [next] = due;
      if (next === undefined) break;
      now = next.seconds;
      continue;
    }
    now = step.endSeconds;
    engine.complete(step, ({ id }, outputIndex) => {
      const entry = sent.get(id);
      if (entry === undefined) return true;
      if (outputIndex === 0) entry.firstSeconds = now;
      if (outputIndex + 1 < outputTokens) return false;
      const { round, seconds, firstSeconds } = entry;
      if (round > 0 || rounds === 1) {
        counted.push({ ttft: firstSeconds - seconds, answer: now - seconds });
      }
      if (round + 1 < rounds) due.push({ round: round + 1, seconds: now });
      return true;
    });
    due.sort((a, b) => a.seconds - b.seconds);
  }
  const mean = (of: (entry: { ttft: number; answer: number }) => number) =>
    counted.reduce((sum, entry) => sum + of(entry), 0) / counted.length;
  return {
    tpotSeconds: mean(({ ttft, answer }) => answer - ttft) / (outputTokens - 1),
    answerSeconds: mean(({ answer }) => answer),
  };
}
