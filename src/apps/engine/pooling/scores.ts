// POST /score and /rerank: how well texts fit each other, by a cross-encoder or by the vectors of both.
import {
  badRequest,
  type PairSettings,
  readRerankRequest,
  readScoreRequest,
} from '../../../core/api/index.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import type { Exchange } from '../http/exchange.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import { mapInSlices } from '../runtime/breaks.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { checkInputs, computePrompts, fitting, pooledUsage, textTokens } from './pooled-prompts.ts';
import { cosine, promptVector } from './vectors.ts';

export function scoreRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readScoreRequest(await exchange.json());
    checkModel(engine, request.model);
    const { first, second } = request;
    await computeScores(
      { engine, pooling, exchange, first, second, settings: request },
      (scored) => {
        const data = scored.scores.map((score, index) => ({ index, object: 'score', score }));
        return {
          ...{ id: scored.id, object: 'list', created: createdSeconds() },
          ...{ model: engine.modelName, data, usage: pooledUsage(scored.counted) },
        };
      },
    );
  };
}

export function rerankRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readRerankRequest(await exchange.json());
    checkModel(engine, request.model);
    const { query, documents, topCount } = request;
    const sides = { first: [query], second: documents };
    await computeScores({ engine, pooling, exchange, ...sides, settings: request }, (scored) => {
      const results = scored.scores
        .map((score, index) => ({
          index,
          document: { text: documents[index] ?? '', multi_modal: null },
          relevance_score: score,
        }))
        .toSorted((a, b) => b.relevance_score - a.relevance_score);
      const tokens = scored.counted.reduce((total, { length }) => total + length, 0);
      return {
        ...{ id: scored.id, model: engine.modelName },
        usage: { prompt_tokens: tokens, total_tokens: tokens },
        results: topCount > 0 ? results.slice(0, topCount) : results,
      };
    });
  };
}

interface Scored {
  readonly id: string;
  readonly scores: readonly number[];
  /** The tokens of each pair, which `usage` counts. */
  readonly counted: readonly (readonly number[])[];
}

/** @throws {ApiError} 400 if the numbers of texts do not match, or a pair does not fit the context. */
async function computeScores(
  options: {
    readonly engine: EmbeddedEngine;
    readonly pooling: PoolingOptions;
    readonly exchange: Exchange;
    readonly first: readonly string[];
    readonly second: readonly string[];
    readonly settings: PairSettings;
  },
  responseOf: (scored: Scored) => object,
): Promise<void> {
  const { engine, pooling, exchange, first, second, settings } = options;
  checkCounts(first.length, second.length);
  checkInputs(engine, first.length + second.length);
  engine.checkAdmission(1);
  const isCrossEncoder = pooling.task === 'score';
  // The texts of a pair share one set of special tokens.
  const sided = { ...settings, ...(isCrossEncoder && pooling.specials && { isPart: true }) };
  const left = await mapInSlices(first, (text) => textTokens(engine, text, sided));
  const right = await mapInSlices(second, (text) => textTokens(engine, text, sided));
  const pairs = right.map(
    (b, index) => [left[index] ?? (left[0] as readonly number[]), b] as const,
  );
  // A bi-encoder computes each text by itself, and vLLM counts the token that pads the pair.
  const counted = pairs.map(([a, b]) =>
    isCrossEncoder ? pairTokens(a, b, pooling) : [...a, 0, ...b],
  );
  const prompts = isCrossEncoder
    ? counted.map((tokens) => fitting(engine, tokens, settings, true))
    : [...left, ...right];
  const id = requestId(exchange, 'score', settings.request_id);
  const onComputed = async () => {
    const { seed = 0 } = engine.options;
    const vectors = new Map<readonly number[], Float64Array>();
    const vectorOf = (tokens: readonly number[]): Float64Array => {
      let vector = vectors.get(tokens);
      if (vector === undefined) {
        vector = promptVector(tokens, pooling, seed);
        vectors.set(tokens, vector);
      }
      return vector;
    };
    const scores = await mapInSlices(pairs, ([a, b]) => {
      const similarity = cosine(vectorOf(a), vectorOf(b));
      return isCrossEncoder ? sigmoid(crossSlope * (similarity - crossMiddle)) : similarity;
    });
    exchange.sendJson(200, JSON.stringify(responseOf({ id, scores, counted })));
  };
  computePrompts({ engine, exchange, id, prompts, settings, onComputed });
}

/** What a cross-encoder gets of two texts. */
function pairTokens(
  a: readonly number[],
  b: readonly number[],
  { specials }: PoolingOptions,
): readonly number[] {
  if (specials === undefined) return [...a, ...b];
  return [specials.begin, ...a, ...specials.between, ...b, specials.end];
}

/** A cross-encoder is sure of itself: most of its scores are near 0 or near 1. */
const crossSlope = 12;
const crossMiddle = 0.3;

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** @throws {ApiError} 400 as in vLLM. */
function checkCounts(first: number, second: number): void {
  if (first === 0) throw badRequest('At least one text element must be given');
  if (second === 0) throw badRequest('At least one text_pair element must be given');
  if (first > 1 && first !== second) {
    throw badRequest('Input lengths must be either 1:1, 1:N or N:N');
  }
}
