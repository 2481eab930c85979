// POST /v1/embeddings
import {
  badRequest,
  type EmbeddingRequest,
  readEmbeddingRequest,
} from '../../../core/api/index.ts';
import { chatPrompt } from '../chat/chat-prompt.ts';
import { createdSeconds } from '../generation/response-writer.ts';
import { checkModel } from '../generation/server-checks.ts';
import { requestId } from '../http/request-id.ts';
import type { Handler } from '../http/server.ts';
import type { PoolingOptions } from '../options.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { computePrompts, fitting, pooledUsage, textTokens } from './pooled-prompts.ts';
import { promptVector, shortened } from './vectors.ts';

export function embeddingsRoute(engine: EmbeddedEngine, pooling: PoolingOptions): Handler {
  return async (exchange) => {
    const request = readEmbeddingRequest(await exchange.json());
    checkModel(engine, request.model);
    engine.checkAdmission(1);
    checkDimensions(engine, pooling, request.dimensions);
    const encode = encoderOf(request);
    const prompts = promptsOf(engine, request);
    const id = requestId(exchange, 'embd', request.request_id);
    const size = request.dimensions ?? pooling.dimensions;
    const onComputed = () => {
      const data = prompts.map((tokens, index) => {
        const vector = promptVector(tokens, pooling.dimensions, engine.options.seed ?? 0);
        return { index, object: 'embedding', embedding: encode(shortened(vector, size)) };
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

/** @throws {ApiError} 400 if the model's vectors cannot be shortened to this. */
function checkDimensions(
  engine: EmbeddedEngine,
  { matryoshka }: PoolingOptions,
  dimensions: number | null | undefined,
): void {
  if (dimensions == null) return;
  const name = engine.modelName;
  if (matryoshka === undefined) {
    throw badRequest(
      `Model "${name}" does not support matryoshka representation, changing output dimensions will lead to poor results.`,
    );
  }
  if (matryoshka !== 'any' && !matryoshka.includes(dimensions)) {
    throw badRequest(
      `Model "${name}" only supports [${matryoshka.join(', ')}] matryoshka dimensions, use other output dimensions will lead to poor results.`,
    );
  }
  if (dimensions < 1) throw badRequest('Dimensions must be greater than 0');
}

/** @throws {ApiError} 400 for encodings that are not emulated. */
function encoderOf(request: EmbeddingRequest): (vector: Float64Array) => unknown {
  const format = request.encoding_format ?? 'float';
  if (format === 'float') return (vector) => Array.from(Float32Array.from(vector));
  if (format !== 'base64' || (request.embed_dtype ?? 'float32') !== 'float32') {
    throw badRequest(
      'Spillway emulates encoding_format "float", and "base64" with embed_dtype "float32".',
      'encoding_format',
    );
  }
  const isBig = request.endianness === 'big';
  return (vector) => {
    const bytes = Buffer.alloc(4 * vector.length);
    for (const [i, value] of vector.entries()) {
      if (isBig) bytes.writeFloatBE(value, 4 * i);
      else bytes.writeFloatLE(value, 4 * i);
    }
    return bytes.toString('base64');
  };
}

/** @throws {ApiError} 400 if there is none, or one does not fit the context. */
function promptsOf(
  engine: EmbeddedEngine,
  request: EmbeddingRequest,
): readonly (readonly number[])[] {
  const { messages, input } = request;
  if (messages !== undefined) {
    const add_generation_prompt = request.add_generation_prompt ?? false;
    const tokens = chatPrompt(engine, { ...request, messages, add_generation_prompt });
    return [fitting(engine, tokens, request, true)];
  }
  const given = isTokens(input) ? [input] : [input ?? ''].flat();
  if (given.length === 0) throw badRequest('You must pass at least one prompt');
  return given.map((one) =>
    typeof one === 'string'
      ? textTokens(engine, one, request)
      : fitting(engine, one as readonly number[], request, false),
  );
}

function isTokens(input: EmbeddingRequest['input']): input is readonly number[] {
  return Array.isArray(input) && typeof input[0] === 'number';
}
