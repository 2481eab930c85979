// What the chunks of one stream of OpenAI's have in common.
import { type AnswerHead, createdSeconds } from './answer.ts';

/** What decides about usage in a stream. */
interface StreamedRequest {
  readonly model?: string | null | undefined;
  readonly stream_options?:
    | {
        readonly include_usage?: boolean | null | undefined;
        readonly continuous_usage_stats?: boolean | null | undefined;
      }
    | null
    | undefined;
}

export interface ChunkFrame {
  /** A chunk up to its choices: JSON that is not closed yet. */
  readonly prefix: string;
  /** The field that ends the last chunk before `[DONE]`. */
  readonly fingerprint: string;
  /** A last chunk tells the usage. */
  readonly includesUsage: boolean;
  /** So does every other. */
  readonly hasContinuousUsage: boolean;
}

/** @param object As chunks call themselves. */
export function chunkFrame(
  { id, engine, request }: Pick<AnswerHead<StreamedRequest>, 'id' | 'engine' | 'request'>,
  object: 'chat.completion.chunk' | 'text_completion',
): ChunkFrame {
  const model = engine.answerName(request.model);
  const fields = JSON.stringify({ id, object, created: createdSeconds(), model });
  const isForced = engine.options.enableForceIncludeUsage === true;
  const { include_usage: asked, continuous_usage_stats: isContinuous } =
    request.stream_options ?? {};
  const includesUsage = isForced || asked === true;
  return {
    prefix: fields.slice(0, -1),
    fingerprint: `,"system_fingerprint":${JSON.stringify(engine.systemFingerprint)}`,
    includesUsage,
    hasContinuousUsage: isForced || (includesUsage && isContinuous === true),
  };
}
