// The fields that all chunks of one OpenAI stream share.
import { createdSeconds, type ResponseContext } from './response-writer.ts';

/** The settings that decide whether a stream reports usage. */
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
  /** The part of a chunk before its choices: unclosed JSON. */
  readonly prefix: string;
  /** The field that ends the last chunk before `[DONE]`. */
  readonly fingerprint: string;
  /** Whether a final chunk reports usage. */
  readonly includesUsage: boolean;
  /** Whether every other chunk does too. */
  readonly hasContinuousUsage: boolean;
}

/** @param object The `object` field of the chunks. */
export function chunkFrame(
  { id, engine, request }: Pick<ResponseContext<StreamedRequest>, 'id' | 'engine' | 'request'>,
  object: 'chat.completion.chunk' | 'text_completion',
): ChunkFrame {
  const model = engine.responseModelName(request.model);
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
