// The lines of a news stream: written from news, and read into news that can be trusted.
import type { AttemptNews, Outcome, PromptBlockNames } from '../../core/routing/index.ts';
import { lineBytesMax, newsVersion } from './news-protocol.ts';

export type NewsLine =
  /** First line. `router` is new with each start of a router. */
  | { readonly kind: 'hello'; readonly version: number; readonly router: string }
  /** What was in flight at the beginning has been told. */
  | { readonly kind: 'whole' }
  /** @param atMs The sender's clock, which begins anywhere. */
  | { readonly kind: 'alive'; readonly atMs: number }
  /** The sender ends, and its attempts have ended. */
  | { readonly kind: 'bye' }
  | { readonly kind: 'news'; readonly news: AttemptNews; readonly agoSeconds: number };

/** A line is not one of a news stream. The message says what it is, to follow "it sent". */
export class NewsSyntaxError extends Error {}

export const helloLine = (router: string): string =>
  `${JSON.stringify({ kind: 'hello', version: newsVersion, router })}\n`;
export const wholeLine = '{"kind":"whole"}\n';
export const byeLine = '{"kind":"bye"}\n';
export const aliveLine = (atMs: number): string =>
  `${JSON.stringify({ kind: 'alive', atMs: Math.round(atMs * 1000) / 1000 })}\n`;

/** @param agoSeconds How long ago it happened. */
export function newsLine(news: AttemptNews, agoSeconds = 0): string {
  const age = agoSeconds === 0 ? {} : { agoSeconds: Math.round(agoSeconds * 1000) / 1000 };
  if (news.kind !== 'sent' || news.blocks === undefined) {
    return `${JSON.stringify({ ...news, ...age })}\n`;
  }
  const { blockBytes, promptBytes, hashes } = news.blocks;
  const names = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('base64');
  return `${JSON.stringify({ ...news, blocks: { blockBytes, promptBytes, names }, ...age })}\n`;
}

/** @throws {NewsSyntaxError} If it is none, or not one of this version. */
export function parseNewsLine(text: string): NewsLine {
  const line = objectOf(text);
  switch (line['kind']) {
    case 'hello':
      return { kind: 'hello', version: count(line, 'version'), router: shortText(line, 'router') };
    case 'whole':
    case 'bye':
      return { kind: line['kind'] };
    case 'alive':
      return { kind: 'alive', atMs: amount(line, 'atMs') };
    default:
      return { kind: 'news', news: newsOf(line), agoSeconds: amount(line, 'agoSeconds', 0) };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function newsOf(line: Fields): AttemptNews {
  const attempt = count(line, 'attempt');
  switch (line['kind']) {
    case 'sent': {
      const promptTokens = count(line, 'promptTokens');
      return {
        kind: 'sent',
        attempt,
        url: shortText(line, 'url'),
        promptTokens,
        cachedTokens: Math.min(promptTokens, amount(line, 'cachedTokens')),
        stream: line['stream'] === true,
        blocks: line['blocks'] === undefined ? undefined : blocksOf(line['blocks']),
      };
    }
    case 'firstByte':
      return { kind: 'firstByte', attempt };
    case 'finished':
      return {
        kind: 'finished',
        attempt,
        status: statusOf(line['status']),
        promptTokens: optionalCount(line, 'promptTokens'),
        cachedTokens: optionalCount(line, 'cachedTokens'),
        outputTokens: optionalCount(line, 'outputTokens'),
      };
    default:
      throw new NewsSyntaxError('a line of a kind that is not known here');
  }
}

function objectOf(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NewsSyntaxError('a line that is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new NewsSyntaxError('a line that is no JSON object');
}

/** Longest URL or router id. */
const textCharactersMax = 2_048;
/** Beyond any prompt, and any time in seconds or milliseconds that a process can have run. */
const amountMax = 1e13;

function shortText(line: Fields, name: string): string {
  const value = line[name];
  if (typeof value === 'string' && value !== '' && value.length <= textCharactersMax) return value;
  throw new NewsSyntaxError(`a line without a usable "${name}"`);
}

function amount(line: Fields, name: string, absent?: number): number {
  const value = line[name] ?? absent;
  if (typeof value === 'number' && value >= 0 && value <= amountMax) return value;
  throw new NewsSyntaxError(`a line without a usable "${name}"`);
}

function count(line: Fields, name: string): number {
  const value = amount(line, name);
  if (Number.isInteger(value)) return value;
  throw new NewsSyntaxError(`a line whose "${name}" is no whole number`);
}

function optionalCount(line: Fields, name: string): number | undefined {
  return line[name] === undefined ? undefined : count(line, name);
}

function statusOf(status: unknown): Outcome['status'] {
  if (status === 'completed' || status === 'cancelled' || status === 'failed') return status;
  throw new NewsSyntaxError('a line without a usable "status"');
}

function blocksOf(value: unknown): PromptBlockNames {
  if (typeof value !== 'object' || value === null)
    throw new NewsSyntaxError('blocks without names');
  const fields = value as Fields;
  const names = fields['names'];
  if (typeof names !== 'string' || names.length > lineBytesMax) {
    throw new NewsSyntaxError('blocks without names');
  }
  const bytes = Buffer.from(names, 'base64');
  const hashes = new Float64Array(bytes.length >>> 3);
  bytes.copy(new Uint8Array(hashes.buffer), 0, 0, hashes.byteLength);
  // Names are integers in [1, 2^53); see ChainHash.
  const sound =
    bytes.length % 8 === 0 && hashes.every((hash) => Number.isSafeInteger(hash) && hash > 0);
  if (!sound) throw new NewsSyntaxError('block names that are none');
  return {
    hashes,
    blockBytes: count(fields, 'blockBytes'),
    promptBytes: count(fields, 'promptBytes'),
  };
}
