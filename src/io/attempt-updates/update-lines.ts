// The lines of an update stream: serialises updates, and parses lines into validated ones.
import type { AttemptUpdate, Outcome, PromptBlockNames } from '../../core/routing/index.ts';
import { lineBytesMax, updatesVersion } from './update-protocol.ts';

export type UpdateLine =
  /** First line. `router` is a new id at each start of a router. */
  | { readonly kind: 'hello'; readonly version: number; readonly router: string }
  /** End of the snapshot of attempts in flight. */
  | { readonly kind: 'whole' }
  /** @param atMs The sender's clock, whose origin is arbitrary. */
  | {
      readonly kind: 'alive';
      readonly atMs: number;
      /** Which engines have responses that the sender has learned of; absent in lines of older routers. */
      readonly stored?: StoredIds | undefined;
    }
  /** The sender is shutting down, and its attempts have ended. */
  | { readonly kind: 'bye' }
  | { readonly kind: 'update'; readonly update: AttemptUpdate; readonly agoSeconds: number };

/** Ids of stored responses by the URL of their engine. */
export type StoredIds = Readonly<Record<string, readonly string[]>>;

/** A line that is not part of an update stream. The message follows "it sent". */
export class UpdateSyntaxError extends Error {}

export const helloLine = (router: string): string =>
  `${JSON.stringify({ kind: 'hello', version: updatesVersion, router })}\n`;
export const wholeLine = '{"kind":"whole"}\n';
export const byeLine = '{"kind":"bye"}\n';
/** @param stored In this line, because older routers refuse lines of other kinds and ignore other fields. */
export const aliveLine = (atMs: number, stored?: StoredIds): string =>
  `${JSON.stringify({ kind: 'alive', atMs: Math.round(atMs * 1000) / 1000, stored })}\n`;

/** @param agoSeconds How long ago it happened. */
export function updateLine(update: AttemptUpdate, agoSeconds = 0): string {
  const age = agoSeconds === 0 ? {} : { agoSeconds: Math.round(agoSeconds * 1000) / 1000 };
  if (update.kind !== 'sent' || update.blocks === undefined) {
    return `${JSON.stringify({ ...update, ...age })}\n`;
  }
  const { blockBytes, promptBytes, hashes } = update.blocks;
  const names = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('base64');
  return `${JSON.stringify({ ...update, blocks: { blockBytes, promptBytes, names }, ...age })}\n`;
}

/** @throws {UpdateSyntaxError} If the line is invalid, or not part of this version. */
export function parseUpdateLine(text: string): UpdateLine {
  const line = objectOf(text);
  switch (line['kind']) {
    case 'hello':
      return { kind: 'hello', version: count(line, 'version'), router: shortText(line, 'router') };
    case 'whole':
    case 'bye':
      return { kind: line['kind'] };
    case 'alive':
      return {
        kind: 'alive',
        atMs: amount(line, 'atMs'),
        ...(line['stored'] !== undefined && { stored: storedOf(line['stored']) }),
      };
    default:
      return { kind: 'update', update: updateOf(line), agoSeconds: amount(line, 'agoSeconds', 0) };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function updateOf(line: Fields): AttemptUpdate {
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
        ...(line['isRefused'] === true && { isRefused: true }),
        ...(line['broke'] === true && { broke: true }),
      };
    default:
      throw new UpdateSyntaxError('a line of an unknown kind');
  }
}

function storedOf(value: unknown): StoredIds {
  const isText = (id: unknown) => typeof id === 'string' && id.length <= textCharactersMax;
  const isIds = (ids: unknown) => Array.isArray(ids) && ids.every(isText);
  if (typeof value === 'object' && value !== null && Object.values(value).every(isIds)) {
    return value as StoredIds;
  }
  throw new UpdateSyntaxError('a line without a valid "stored"');
}

function objectOf(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UpdateSyntaxError('a line that is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new UpdateSyntaxError('a line that is not a JSON object');
}

/** Longest URL or router id. */
const textCharactersMax = 2_048;
/** Larger than any prompt, and any uptime of a process in seconds or milliseconds. */
const amountMax = 1e13;

function shortText(line: Fields, name: string): string {
  const value = line[name];
  if (typeof value === 'string' && value !== '' && value.length <= textCharactersMax) return value;
  throw new UpdateSyntaxError(`a line without a valid "${name}"`);
}

function amount(line: Fields, name: string, absent?: number): number {
  const value = line[name] ?? absent;
  if (typeof value === 'number' && value >= 0 && value <= amountMax) return value;
  throw new UpdateSyntaxError(`a line without a valid "${name}"`);
}

function count(line: Fields, name: string): number {
  const value = amount(line, name);
  if (Number.isInteger(value)) return value;
  throw new UpdateSyntaxError(`a line whose "${name}" is not a whole number`);
}

function optionalCount(line: Fields, name: string): number | undefined {
  return line[name] === undefined ? undefined : count(line, name);
}

function statusOf(status: unknown): Outcome['status'] {
  if (status === 'completed' || status === 'cancelled' || status === 'failed') return status;
  throw new UpdateSyntaxError('a line without a valid "status"');
}

function blocksOf(value: unknown): PromptBlockNames {
  if (typeof value !== 'object' || value === null)
    throw new UpdateSyntaxError('blocks without names');
  const fields = value as Fields;
  const names = fields['names'];
  if (typeof names !== 'string' || names.length > lineBytesMax) {
    throw new UpdateSyntaxError('blocks without names');
  }
  const bytes = Buffer.from(names, 'base64');
  const hashes = new Float64Array(bytes.length >>> 3);
  bytes.copy(new Uint8Array(hashes.buffer), 0, 0, hashes.byteLength);
  // Names are integers in [1, 2^53); see ChainHash.
  const sound =
    bytes.length % 8 === 0 && hashes.every((hash) => Number.isSafeInteger(hash) && hash > 0);
  if (!sound) throw new UpdateSyntaxError('invalid block names');
  return {
    hashes,
    blockBytes: count(fields, 'blockBytes'),
    promptBytes: count(fields, 'promptBytes'),
  };
}
