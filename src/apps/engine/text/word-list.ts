// Tokens that are whole words, so that synthetic text reads like text and streams like a model's.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';

/** Token ids by their role in a sentence. */
export interface WordList {
  /** " word" */
  readonly words: readonly number[];
  /** "Word", at the start of a text. */
  readonly openers: readonly number[];
  /** " Word", at the start of a later sentence. */
  readonly capitals: readonly number[];
  readonly comma: number;
  readonly stop: number;
}

/** Vocabularies are ordered by frequency: the first ids are the common words. */
const idsScanned = 10_000;

/** Common in what tokenizers are made from, and unwelcome in a demonstration. */
const unwelcome = new Set([
  ...['anal', 'ass', 'dead', 'die', 'died', 'dies', 'erot', 'escort', 'fuck', 'gay', 'kill'],
  ...['killed', 'murder', 'nude', 'porn', 'porno', 'rape', 'sex', 'sexual', 'shit', 'terror'],
  ...['tit', 'tits'],
]);

const lists = new WeakMap<Tokenizer, WordList>();

/** The words of a tokenizer, picked at the first call; engines that share the tokenizer share them. */
export function wordListOf(tokenizer: Tokenizer): WordList {
  let list = lists.get(tokenizer);
  if (!list) {
    list = wordList(tokenizer);
    lists.set(tokenizer, list);
  }
  return list;
}

/**
 * Picks the words of a vocabulary. Each is one token, and stays one when its text is encoded again,
 * so a response that is part of the next prompt hits the cache, as a real one would.
 */
function wordList(tokenizer: Tokenizer): WordList {
  const words: number[] = [];
  const openers: number[] = [];
  const capitals: number[] = [];
  const scanned = Math.min(idsScanned, tokenizer.vocabularySize);
  for (let id = 0; id < scanned; id++) {
    const bytes = tokenizer.tokenBytes(id);
    if (bytes.length < 3 || bytes.length > 13) continue;
    const list = listOf(bytes, words, openers, capitals);
    if (!list || !isStable(tokenizer, id)) continue;
    // The word before it takes its place, so that others keep theirs.
    const isWelcome = !unwelcome.has(tokenizer.tokenText(id)?.trim().toLowerCase() ?? '');
    list.push(isWelcome ? id : (list.at(-1) ?? id));
  }
  // A vocabulary without English words still needs some text.
  const any = words.length > 0 ? words : textTokens(tokenizer);
  const first = any[0] ?? 0;
  const lowered = (id: number) => tokenizer.tokenText(id)?.trim().toLowerCase();
  const common = new Set(words.map(lowered));
  // A token that is also common in lower case is a word; the rest are names, which do not belong in
  // random sentences.
  const isWord = (id: number) => common.has(lowered(id));
  return {
    words: any,
    openers: orElse(openers.filter(isWord), any),
    capitals: orElse(capitals.filter(isWord), any),
    comma: tokenizer.encode(',', { addSpecialTokens: false })[0] ?? first,
    stop: tokenizer.encode('.', { addSpecialTokens: false })[0] ?? first,
  };
}

function orElse(ids: readonly number[], others: readonly number[]): readonly number[] {
  return ids.length > 0 ? ids : others;
}

/** The list that a token belongs to by its letters: `[ ]?[A-Za-z][a-z]+`. */
function listOf(
  bytes: Uint8Array,
  words: number[],
  openers: number[],
  capitals: number[],
): number[] | undefined {
  const start = bytes[0] === 0x20 ? 1 : 0;
  const head = bytes[start] as number;
  const isCapital = head >= 0x41 && head <= 0x5a;
  if (!isCapital && !isLower(head)) return undefined;
  for (let i = start + 1; i < bytes.length; i++) {
    if (!isLower(bytes[i] as number)) return undefined;
  }
  if (start === 0) return isCapital ? openers : undefined;
  return isCapital ? capitals : words;
}

function isLower(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isStable(tokenizer: Tokenizer, id: number): boolean {
  const text = tokenizer.tokenText(id);
  if (text === undefined) return false;
  const again = tokenizer.encode(text, { addSpecialTokens: false });
  return again.length === 1 && again[0] === id;
}

function textTokens(tokenizer: Tokenizer): number[] {
  const ids: number[] = [];
  for (let id = 0; id < tokenizer.vocabularySize && ids.length < 1000; id++) {
    if (!tokenizer.isSpecial(id) && /^\S+$/.test(tokenizer.tokenText(id) ?? '')) ids.push(id);
  }
  return ids;
}
