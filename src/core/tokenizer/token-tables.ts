// The look-up tables of a tokenizer: built once from tokenizer.json, stored as typed arrays.
import { InputError } from '../base/index.ts';
import { byteOfCharacter, byteToCharacter } from './byte-level.ts';
import { type MergeArrays, MergeTable } from './merge-table.ts';
import type { AddedTokenJson, TokenizerJson } from './tokenizer-json.ts';
import { Vocabulary } from './vocabulary.ts';
import { wordSlots } from './word-table.ts';

/** tokenizer.json as tables: half its size, without parsing, and one copy serves many engines. */
export interface TokenTables {
  /** tokenizer.json without its vocabulary and merges. */
  readonly rest: Omit<TokenizerJson, 'model'>;
  /** The bytes of all tokens, one after the other. */
  readonly bytes: Uint8Array;
  /** Shape [tokens + 1]: the bytes of token `id` go from offsets[id] to offsets[id + 1]. */
  readonly offsets: Uint32Array;
  /** Shape [256]: the token of each byte. */
  readonly byteIds: Int32Array;
  readonly merges: MergeArrays;
  /** Slots of a `WordTable`; empty for models without `ignore_merges`. */
  readonly wordSlots: Int32Array;
}

/** Token ids are indexes of tables; the largest vocabularies in use have 902,000 tokens (XLM-V). */
const tokensMax = 1_048_576;

/** @throws {InputError} If the model is not a byte-level BPE, or the file contradicts itself. */
export function tokenTables(json: TokenizerJson): TokenTables {
  const { vocab, merges = [], type, ignore_merges: ignoresMerges } = json.model;
  if (type !== undefined && type !== 'BPE') {
    throw new InputError(`tokenizer.json: model ${type} is not supported; BPE is.`);
  }
  const ids = new Map<string, number>();
  for (const text in vocab) ids.set(text, vocab[text] as number);
  const added = json.added_tokens ?? [];
  for (const id of ids.values()) checkId(id);
  for (const { id } of added) checkId(id);
  const { model: _, ...rest } = json;
  const tables = {
    rest,
    ...tokenBytes(ids, added),
    byteIds: byteIds(ids),
    merges: mergeArrays(merges, ids),
  };
  const slots = ignoresMerges ? wordSlotsOf(ids, added, tables) : new Int32Array(0);
  return { ...tables, wordSlots: slots };
}

function checkId(id: number): void {
  if (Number.isInteger(id) && id >= 0 && id < tokensMax) return;
  throw new InputError(
    `tokenizer.json: token ids are integers from 0 to ${tokensMax - 1}, not ${id}.`,
  );
}

function tokenBytes(
  ids: ReadonlyMap<string, number>,
  added: readonly AddedTokenJson[],
): Pick<TokenTables, 'bytes' | 'offsets'> {
  const encoder = new TextEncoder();
  let idMax = -1;
  for (const id of ids.values()) idMax = Math.max(idMax, id);
  for (const { id } of added) idMax = Math.max(idMax, id);
  // Filled at once: a single id far from the others would make a sparse array, slow to read.
  const values: (string | Uint8Array | undefined)[] = new Array(idMax + 1).fill(undefined);
  for (const [text, id] of ids) values[id] = text;
  for (const { id, content } of added) values[id] = encoder.encode(content);
  const offsets = new Uint32Array(values.length + 1);
  let length = 0;
  for (const value of values) length += value?.length ?? 0;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let id = 0; id < values.length; id++) {
    const value = values[id];
    if (value instanceof Uint8Array) {
      bytes.set(value, at);
      at += value.length;
    } else if (value !== undefined) {
      for (let i = 0; i < value.length; i++) {
        bytes[at++] = byteOfCharacter(value.charCodeAt(i)) ?? 0x3f;
      }
    }
    offsets[id + 1] = at;
  }
  return { bytes, offsets };
}

function byteIds(ids: ReadonlyMap<string, number>): Int32Array {
  return Int32Array.from(byteToCharacter, (character, byte) => {
    const id = ids.get(character);
    if (id === undefined) {
      throw new InputError(`tokenizer.json: the vocabulary has no token for byte ${byte}.`);
    }
    return id;
  });
}

function mergeArrays(
  merges: readonly (string | readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
): MergeArrays {
  const table = new MergeTable(merges.length);
  merges.forEach((merge, rank) => {
    const at = typeof merge === 'string' ? merge.indexOf(' ') : 0;
    const left = typeof merge === 'string' ? merge.slice(0, at) : merge[0];
    const right = typeof merge === 'string' ? merge.slice(at + 1) : merge[1];
    const [leftId, rightId, mergedId] = [ids.get(left), ids.get(right), ids.get(left + right)];
    if (leftId === undefined || rightId === undefined || mergedId === undefined) {
      throw new InputError(
        `tokenizer.json: merge ${rank} ("${left}" + "${right}") names a token that the vocabulary lacks.`,
      );
    }
    table.add(leftId, rightId, rank, mergedId);
  });
  return table.arrays;
}

/**
 * Entries outside the byte alphabet match no word of a text; added tokens are found before words.
 */
function wordSlotsOf(
  ids: ReadonlyMap<string, number>,
  added: readonly AddedTokenJson[],
  tables: Pick<TokenTables, 'bytes' | 'offsets'>,
): Int32Array {
  const addedIds = new Set(added.map(({ id }) => id));
  const words: number[] = [];
  for (const [text, id] of ids) {
    if (text !== '' && !addedIds.has(id) && isInAlphabet(text)) words.push(id);
  }
  return wordSlots(words, new Vocabulary(tables, added));
}

function isInAlphabet(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (byteOfCharacter(text.charCodeAt(i)) === undefined) return false;
  }
  return true;
}
