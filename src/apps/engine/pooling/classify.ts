// POST /classify: the classes of texts, with their probabilities.
import { readPoolingRequest } from '../../../core/api/index.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { computePrompts, pooledUsage, requestPrompts } from './pooled-prompts.ts';
import { promptLogits } from './vectors.ts';

export function classifyRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readPoolingRequest(await exchange.json());
    checkModel(engine, request.model);
    engine.checkAdmission(1);
    const prompts = await requestPrompts(engine, request);
    const id = requestId(exchange, 'classify', request.request_id);
    const onComputed = async () => {
      const data = await mapInSlices(prompts, (tokens, index) => {
        const probs = classProbabilities(engine, pooling, tokens, request.use_activation);
        const label = labelsOf(pooling)[probs.indexOf(Math.max(...probs))] ?? null;
        return { index, label, probs, num_classes: probs.length };
      });
      exchange.sendJson(
        200,
        JSON.stringify({
          ...{ id, object: 'list', created: createdSeconds() },
          ...{ model: engine.responseModelName(request.model), data, usage: pooledUsage(prompts) },
        }),
      );
    };
    computePrompts({ engine, exchange, id, prompts, settings: request, onComputed });
  };
}

/** One for each class: the sigmoid of the only one, else the softmax of all; the logits without activation. */
export function classProbabilities(
  engine: EmbeddedEngine,
  pooling: PoolingOptions,
  tokens: readonly number[],
  activates: boolean | null | undefined,
): readonly number[] {
  const logits = promptLogits(tokens, labelsOf(pooling).length, engine.options.seed ?? 0);
  if (activates === false) return logits.map(Math.fround);
  if (logits.length === 1) return logits.map((logit) => Math.fround(1 / (1 + Math.exp(-logit))));
  const powers = logits.map(Math.exp);
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => Math.fround(power / sum));
}

/** As transformers names the class of a model that returns one score. */
function labelsOf({ labels = ['LABEL_0'] }: PoolingOptions): readonly string[] {
  return labels;
}
