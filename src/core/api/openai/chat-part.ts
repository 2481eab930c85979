// Parses the parts of a message's content as Pydantic reads the part types of OpenAI and vLLM.
import {
  type Issue,
  literal,
  notNull,
  type Parser,
  pydanticReport,
  string,
  typedDict,
} from './schema.ts';

/** A part with the fields that its type defines; one that matches no type well keeps none. */
export type CustomPart = string | Readonly<Record<string, unknown>>;

type Fields = Readonly<Record<string, unknown>>;

interface PartType {
  readonly name: string;
  /** Required value of `type`; undefined if the type has none. */
  readonly type?: string;
  readonly isTypeOptional?: boolean;
  readonly required?: Readonly<Record<string, (value: unknown) => boolean>>;
  readonly optional?: Readonly<Record<string, (value: unknown) => boolean>>;
}

const isText = (value: unknown) => typeof value === 'string';
const isTextOrNull = (value: unknown) => value === null || isText(value);
const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const hasUrl = (value: unknown) => isObject(value) && isText((value as Fields)['url']);
const isAudio = (value: unknown) => {
  const { data, format } = Object(value) as Fields;
  return isText(data) && (format === 'wav' || format === 'mp3');
};

const textPart: PartType = {
  name: 'ChatCompletionContentPartTextParam',
  type: 'text',
  required: { text: isText },
};
const refusalPart: PartType = {
  name: 'ChatCompletionContentPartRefusalParam',
  type: 'refusal',
  required: { refusal: isText },
};
const imagePart: PartType = {
  name: 'ChatCompletionContentPartImageParam',
  type: 'image_url',
  required: { image_url: hasUrl },
};
const audioPart: PartType = {
  name: 'ChatCompletionContentPartInputAudioParam',
  type: 'input_audio',
  required: { input_audio: isAudio },
};
const isFile = (value: unknown) =>
  isObject(value) &&
  ['file_data', 'file_id', 'filename'].every((name) => {
    const field = (value as Fields)[name];
    return field === undefined || isText(field);
  });
const filePart: PartType = { name: 'File', type: 'file', required: { file: isFile } };

/** In the order of vLLM's union. */
const customTypes: readonly PartType[] = [
  ...[textPart, imagePart, audioPart, filePart],
  { name: 'audio', type: 'audio_url', required: { audio_url: hasUrl } },
  { name: 'video', type: 'video_url', required: { video_url: hasUrl } },
  refusalPart,
  { name: 'pil', optional: { uuid: isTextOrNull } },
  { name: 'simple image', optional: { image_url: isTextOrNull, uuid: isTextOrNull } },
  ...['image_embeds', 'audio_embeds', 'video_embeds'].map((type) => ({
    ...{ name: type, type },
    optional: { [type]: (value: unknown) => isTextOrNull(value) || isObject(value) },
  })),
  { name: 'prompt embeds', type: 'prompt_embeds', required: { data: isText } },
  { name: 'simple audio', optional: { audio_url: isTextOrNull } },
  { name: 'simple video', optional: { video_url: isTextOrNull, uuid: isTextOrNull } },
  {
    ...{ name: 'reference', type: 'tool_reference', isTypeOptional: true },
    optional: { name: isText },
  },
  {
    ...{ name: 'thinking', type: 'thinking' },
    required: { thinking: isText },
    optional: { closed: (value) => typeof value === 'boolean' },
  },
];

/** @returns Undefined if the part is neither text nor an object. */
export function customPart(part: unknown): CustomPart | undefined {
  if (typeof part === 'string') return part;
  if (!isObject(part)) return undefined;
  let best: Fields = {};
  for (const type of customTypes) {
    const read = readPart(type, part as Fields);
    if (read && Object.keys(read).length > Object.keys(best).length) best = read;
  }
  return best;
}

function readPart(type: PartType, part: Fields): Fields | undefined {
  const given = part['type'];
  const read: Record<string, unknown> = {};
  for (const [name, fits] of Object.entries(type.required ?? {})) {
    if (!fits(part[name])) return undefined;
    read[name] = part[name];
  }
  for (const [name, fits] of Object.entries(type.optional ?? {})) {
    if (part[name] === undefined) continue;
    if (!fits(part[name])) return undefined;
    read[name] = part[name];
  }
  if (type.type === undefined) return read;
  if (given === undefined && type.isTypeOptional === true) return read;
  if (given !== type.type) return undefined;
  read['type'] = given;
  return read;
}

const text = notNull(string);

/** OpenAI's part types, for reporting their faults. */
const parsers: Readonly<Record<string, Parser<unknown>>> = {
  [textPart.name]: typedDict({ text, type: notNull(literal('text')) }, ['text', 'type']),
  [refusalPart.name]: typedDict({ refusal: text, type: notNull(literal('refusal')) }, [
    'refusal',
    'type',
  ]),
  [imagePart.name]: typedDict(
    {
      image_url: notNull(typedDict({ url: text }, ['url'])),
      type: notNull(literal('image_url')),
    },
    ['image_url', 'type'],
  ),
  [audioPart.name]: typedDict(
    {
      input_audio: notNull(
        typedDict({ data: text, format: notNull(literal('wav', 'mp3')) }, ['data', 'format']),
      ),
      type: notNull(literal('input_audio')),
    },
    ['input_audio', 'type'],
  ),
  [filePart.name]: typedDict(
    {
      file: notNull(typedDict({ file_data: text, file_id: text, filename: text }, [])),
      type: notNull(literal('file')),
    },
    ['file', 'type'],
  ),
};

const nativeTypes: Readonly<Record<string, readonly PartType[]>> = {
  user: [textPart, imagePart, audioPart, filePart],
  assistant: [textPart, refusalPart],
};

/** A part that is invalid for the role of its message. */
export interface PartFault {
  readonly index: number;
  /** Pydantic's report about it. */
  readonly report: string;
}

/** @returns The first part that is invalid for this role. */
export function nativePartFault(role: string, parts: readonly unknown[]): PartFault | undefined {
  const names = (nativeTypes[role] ?? [textPart]).map(({ name }) => name);
  for (const [index, part] of parts.entries()) {
    const reports = names.map((name) => {
      const issues: Issue[] = [];
      parsers[name]?.(part, names.length > 1 ? `${index}.${name}` : `${index}`, issues);
      return issues;
    });
    if (reports.some((issues) => issues.length === 0)) continue;
    return { index, report: pydanticReport('ValidatorIterator', reports.flat()) };
  }
  return undefined;
}
