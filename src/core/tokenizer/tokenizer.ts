// Byte-level byte-pair encoding, identical to Hugging Face's tokenizers for the models of this
// family.
import { InputError } from '../base/index.ts';
import { byteToCharacter } from './byte-level.ts';
import { ChatTemplate, type ChatTemplateOptions, type TemplateMessage } from './chat-template.ts';
import type { TokenizerDefinition } from './definition.ts';
import { IncrementalDecoder } from './incremental-decoder.ts';
import { MergeTable } from './merge-table.ts';
import { mergeWord } from './merge-word.ts';
import type { PieceCache } from './piece-cache.ts';
import { tokenTables } from './token-tables.ts';
import type { AddedTokenJson, PostProcessorJson } from './tokenizer-json.ts';
import { Vocabulary } from './vocabulary.ts';
import { WordCache } from './word-cache.ts';
import { type WordSplitter, wordSplitter } from './word-pattern.ts';
import { WordTable } from './word-table.ts';

/** Maximum number of cached words, and the maximum length of such a word in UTF-16 units. */
const cachedWordsMax = 65_536;
const cachedWordLengthMax = 48;
/**
 * Maximum length of a word that is merged as a whole, in UTF-16 units: merging takes n log n, some milliseconds for one of this length.
 * A longer word (16 kB without a space, a digit or a change of script) is cut, which changes its tokens at the cuts.
 */
const wordCharactersMax = 16_384;
/** Text that is encoded between two looks at the clock, in UTF-16 units. */
const partCharacters = 16_384;
/** Minimum length of a piece, in UTF-16 units: text between special tokens is cut into pieces of about this length. */
const pieceCharacters = 2048;

/**
 * The tokenizer of a model.
 *
 * @example
 * const tokenizer = new Tokenizer({ tokenizer: JSON.parse(tokenizerJsonText) });
 * tokenizer.encode('Hello, world!'); // [9707, 11, 1879, 0] for Qwen3
 */
export class Tokenizer {
  /** Highest token id plus one. */
  readonly vocabularySize: number;
  /** The token that ends a turn, from tokenizer_config.json; undefined if it has none. */
  readonly eosTokenId: number | undefined;
  readonly #vocabulary: Vocabulary;
  readonly #splitter: WordSplitter;
  readonly #isNfc: boolean;
  readonly #merges: MergeTable;
  readonly #byteIds: Int32Array;
  /** Whole words that skip merging (`ignore_merges`). */
  readonly #wholeWords: WordTable | undefined;
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #addedPattern: RegExp | undefined;
  readonly #prefixIds: readonly number[];
  readonly #suffixIds: readonly number[];
  readonly #words = new WordCache<readonly number[]>(cachedWordsMax);
  readonly #tokenTexts: (string | undefined | null)[] = [];
  readonly #chatTemplateSource: string | undefined;
  readonly #specialTokens: Readonly<Record<string, string>>;
  #chatTemplate: ChatTemplate | undefined;
  readonly #utf8 = new TextEncoder();
  readonly #strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  /** @throws {InputError} If the definition is not a byte-level BPE. */
  constructor({ tokenizer, config, chatTemplate }: TokenizerDefinition) {
    const tables = 'offsets' in tokenizer ? tokenizer : tokenTables(tokenizer);
    const { rest: json } = tables;
    const normalizer = json.normalizer?.type;
    if (normalizer !== undefined && normalizer !== 'NFC') {
      throw new InputError(`tokenizer.json: normalizer ${normalizer} is not supported; NFC is.`);
    }
    this.#isNfc = normalizer === 'NFC';
    this.#splitter = wordSplitter(json.pre_tokenizer);
    const added = json.added_tokens ?? [];
    this.#vocabulary = new Vocabulary(tables, added);
    this.vocabularySize = this.#vocabulary.size;
    this.#byteIds = tables.byteIds;
    this.#merges = new MergeTable(tables.merges);
    this.#wholeWords =
      tables.wordSlots.length > 0 ? new WordTable(tables.wordSlots, this.#vocabulary) : undefined;
    this.#addedIds = new Map(added.map(({ content, id }) => [content, id]));
    this.#addedPattern = addedPattern(added);
    const template = templateIds(json.post_processor);
    this.#prefixIds = template.prefix;
    this.#suffixIds = template.suffix;
    this.#specialTokens = specialTokens(config);
    this.eosTokenId = this.tokenId(this.#specialTokens['eos_token'] ?? '');
    this.#chatTemplateSource = chatTemplate ?? defaultTemplate(config?.chat_template);
  }

  /**
   * @param options `addSpecialTokens` (default true): adds begin-of-text and similar tokens, if the
   * model has them. Special tokens written in the text are recognised either way.
   */
  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): number[] {
    const ids: number[] = options.addSpecialTokens === false ? [] : [...this.#prefixIds];
    const wellFormed = text.toWellFormed();
    let at = 0;
    if (this.#addedPattern) {
      for (const match of wellFormed.matchAll(this.#addedPattern)) {
        this.#encodeSegment(wellFormed.slice(at, match.index), ids);
        ids.push(this.#addedIds.get(match[0]) as number);
        at = match.index + match[0].length;
      }
    }
    this.#encodeSegment(at === 0 ? wellFormed : wellFormed.slice(at), ids);
    if (options.addSpecialTokens !== false) ids.push(...this.#suffixIds);
    return ids;
  }

  /**
   * The tokens of `encode`, part by part: each part takes some milliseconds.
   *
   * @example for (const ids of tokenizer.encodeInParts(text)) all.push(...ids);
   */
  *encodeInParts(
    text: string,
    options: { readonly addSpecialTokens?: boolean } = {},
  ): Generator<readonly number[]> {
    const hasSpecials = options.addSpecialTokens !== false;
    if (hasSpecials) yield this.#prefixIds;
    const wellFormed = text.toWellFormed();
    let at = 0;
    for (const match of this.#addedPattern ? wellFormed.matchAll(this.#addedPattern) : []) {
      if (match.index > at) yield* this.#segmentInParts(wellFormed.slice(at, match.index));
      yield [this.#addedIds.get(match[0]) as number];
      at = match.index + match[0].length;
    }
    if (at < wellFormed.length) yield* this.#segmentInParts(wellFormed.slice(at));
    if (hasSpecials) yield this.#suffixIds;
  }

  /**
   * Like `encode`; pieces of the text that `cache` holds are not encoded again. Text is cut at added tokens, which
   * are encoded by themselves, and where the words of the model's pattern always end. The places depend only
   * on the text before them, so two texts that share a prefix share its pieces.
   *
   * @returns Shape [tokens].
   */
  encodePieces(
    text: string,
    cache: PieceCache,
    options: { readonly addSpecialTokens?: boolean } = {},
  ): Uint32Array {
    const parts: ArrayLike<number>[] = [];
    if (options.addSpecialTokens !== false) parts.push(this.#prefixIds);
    const wellFormed = text.toWellFormed();
    let at = 0;
    if (this.#addedPattern) {
      for (const match of wellFormed.matchAll(this.#addedPattern)) {
        this.#addPieces(wellFormed, at, match.index, cache, parts);
        parts.push([this.#addedIds.get(match[0]) as number]);
        at = match.index + match[0].length;
      }
    }
    this.#addPieces(wellFormed, at, wellFormed.length, cache, parts);
    if (options.addSpecialTokens !== false) parts.push(this.#suffixIds);
    let length = 0;
    for (const part of parts) length += part.length;
    const ids = new Uint32Array(length);
    let filled = 0;
    for (const part of parts) {
      ids.set(part, filled);
      filled += part.length;
    }
    return ids;
  }

  /** @param options `skipSpecialTokens` (default false): omits tokens such as `<|im_end|>`. */
  decode(ids: readonly number[], options: { readonly skipSpecialTokens?: boolean } = {}): string {
    const kept = options.skipSpecialTokens
      ? ids.filter((id) => !this.#vocabulary.isSpecial(id))
      : ids;
    return this.#vocabulary.text(kept);
  }

  /** For a stream of tokens: returns text in whole characters only. */
  incrementalDecoder(options: { readonly skipSpecialTokens?: boolean } = {}): IncrementalDecoder {
    return new IncrementalDecoder(this.#vocabulary, options.skipSpecialTokens === true, (id) =>
      this.tokenText(id),
    );
  }

  /**
   * Returns the prompt text of a conversation. Encode it with `addSpecialTokens: false`: templates
   * write their own special tokens.
   *
   * @throws {InputError} If the model has no chat template, or its template refuses the messages.
   */
  applyChatTemplate(
    messages: readonly TemplateMessage[],
    options: ChatTemplateOptions = {},
  ): string {
    if (this.#chatTemplateSource === undefined) {
      throw new InputError(
        'As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.',
      );
    }
    this.#chatTemplate ??= new ChatTemplate(this.#chatTemplateSource, this.#specialTokens);
    return this.#chatTemplate.render(messages, options);
  }

  /**
   * Whether the chat template loops over the parts of a message's content: vLLM then passes lists of parts to it
   * instead of joining their texts. Not tracked through variables that hold the content.
   *
   * @see vllm/renderers/hf.py, `_detect_content_format`
   */
  get readsContentParts(): boolean {
    return contentLoop.test(this.#chatTemplateSource ?? '');
  }

  /**
   * Returns the id of a token as written in the vocabulary, or of an added one; undefined if there
   * is none.
   */
  tokenId(content: string): number | undefined {
    return this.#addedIds.get(content);
  }

  /** Returns the token as tokenizer.json spells it, in the byte-level alphabet. */
  vocabularyEntry(id: number): string {
    if (this.#vocabulary.isAdded(id)) return this.#vocabulary.text([id]);
    return Array.from(this.#vocabulary.bytes(id), (byte) => byteToCharacter[byte]).join('');
  }

  /** Returns the token's bytes; do not modify them. */
  tokenBytes(id: number): Uint8Array {
    return this.#vocabulary.bytes(id);
  }

  /** Returns the token's text; undefined if its bytes are not whole characters by themselves. */
  tokenText(id: number): string | undefined {
    let text = this.#tokenTexts[id];
    if (text === undefined) {
      text = this.#wholeText(id);
      this.#tokenTexts[id] = text;
    }
    return text ?? undefined;
  }

  isSpecial(id: number): boolean {
    return this.#vocabulary.isSpecial(id);
  }

  #wholeText(id: number): string | null {
    try {
      return this.#strictUtf8.decode(this.#vocabulary.bytes(id));
    } catch {
      return null;
    }
  }

  /** Adds the tokens of text between two added tokens. */
  #addPieces(
    text: string,
    from: number,
    to: number,
    cache: PieceCache,
    parts: ArrayLike<number>[],
  ): void {
    let start = from;
    while (start < to) {
      let end = to;
      if (this.#splitter.endsBeforeSpace && to - start > pieceCharacters) {
        const at = text.slice(start + pieceCharacters, to).search(wordEnd);
        if (at !== -1) end = start + pieceCharacters + at + 1;
      }
      const piece = text.slice(start, end);
      let ids = cache.get(piece);
      if (ids === undefined) {
        const fresh: number[] = [];
        this.#encodeSegment(piece, fresh);
        ids = Uint32Array.from(fresh);
        cache.set(piece, ids);
      }
      parts.push(ids);
      start = end;
    }
  }

  #prepared(raw: string): string {
    return this.#spaced(this.#isNfc ? normalized(raw) : raw);
  }

  #spaced(text: string): string {
    return this.#splitter.addsPrefixSpace && !text.startsWith(' ') ? ` ${text}` : text;
  }

  *#segmentInParts(raw: string): Generator<readonly number[]> {
    let text = raw;
    if (this.#isNfc && raw.length > normalizedCharacters) {
      text = '';
      for (const part of inNormalizableParts(raw)) {
        text += normalized(part);
        yield [];
      }
      text = this.#spaced(text);
    } else text = this.#prepared(raw);
    let ids: number[] = [];
    let characters = 0;
    for (const word of wordsOf(text, this.#splitter.patterns)) {
      for (let at = 0; at < word.length; at += wordCharactersMax) {
        const part = word.length <= wordCharactersMax ? word : wordPart(word, at);
        this.#addWord(part, ids);
        characters += part.length;
        if (characters < partCharacters) continue;
        yield ids;
        ids = [];
        characters = 0;
      }
    }
    yield ids;
  }

  #encodeSegment(raw: string, ids: number[]): void {
    if (raw === '') return;
    const text = this.#prepared(raw);
    let pieces = [text];
    for (const pattern of this.#splitter.patterns) {
      pieces =
        pieces.length === 1 ? split(text, pattern) : pieces.flatMap((p) => split(p, pattern));
    }
    for (const word of pieces) {
      if (word.length <= wordCharactersMax) this.#addWord(word, ids);
      else {
        for (let at = 0; at < word.length; at += wordCharactersMax) {
          this.#addWord(wordPart(word, at), ids);
        }
      }
    }
  }

  #addWord(word: string, ids: number[]): void {
    const known = this.#words.get(word);
    if (known === undefined) {
      const fresh = this.#encodeWord(word);
      if (word.length <= cachedWordLengthMax) this.#words.set(word, fresh);
      for (const id of fresh) ids.push(id);
    } else {
      for (const id of known) ids.push(id);
    }
  }

  #encodeWord(word: string): number[] {
    const bytes = this.#utf8.encode(word);
    if (this.#wholeWords) {
      const whole = this.#wholeWords.find(bytes);
      if (whole !== undefined) return [whole];
    }
    return mergeWord(
      Array.from(bytes, (byte) => this.#byteIds[byte] as number),
      this.#merges,
    );
  }
}

/** A loop over the content of a message. */
const contentLoop = /\bfor\s+\w+\s+in\s+\w+(?:\.content|\[\s*['"]content['"]\s*\])/;

/** A letter, then a space and a letter. */
const wordEnd = /[A-Za-z] [A-Za-z]/;

/** The part of a long word that starts near `at`; a character of two units stays whole. */
function wordPart(word: string, at: number): string {
  return word.slice(wholeCharacter(word, at), wholeCharacter(word, at + wordCharactersMax));
}

function wholeCharacter(word: string, at: number): number {
  const isInside = /^[\udc00-\udfff]/.test(word.slice(at, at + 1));
  return isInside ? at + 1 : at;
}

/** Marks in a row that are put into canonical order together: that takes the square of their number. */
const marksMax = 128;
const manyMarks = new RegExp(`\\p{M}{${marksMax + 1}}`, 'u');
const fewMarks = new RegExp(`\\P{M}*\\p{M}{1,${marksMax}}|\\P{M}+`, 'gu');

/**
 * NFC in linear time. Text with more than 128 marks in a row, which no script has, is normalized in parts that end within them.
 *
 * @see Unicode Standard Annex 15, section 13 (Stream-Safe Text Format), which allows 30
 */
function normalized(text: string): string {
  if (!manyMarks.test(text)) return text.normalize('NFC');
  return text.replace(fewMarks, (part) => part.normalize('NFC'));
}

/** Text that is normalized at once, in UTF-16 units. */
const normalizedCharacters = 65_536;
/** Characters that compose with none before them: all but marks, vowels and final consonants of Hangul, and Kirat Rai. */
const opening = /[^\p{M}\u1160-\u11ff\ud7b0-\ud7ff\u{16d40}-\u{16d7f}]/u;

/** Parts of which each may be normalized by itself, unless there are more than 4,096 marks in a row. */
function* inNormalizableParts(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    let end = wholeCharacter(text, start + normalizedCharacters);
    end += Math.max(0, text.slice(end, end + 4096).search(opening));
    yield text.slice(start, end);
    start = end;
  }
}

/** Like `split` by each of the patterns in turn, word by word. */
function* wordsOf(text: string, patterns: readonly RegExp[]): Generator<string> {
  const [pattern, ...others] = patterns;
  if (pattern === undefined) {
    if (text !== '') yield text;
    return;
  }
  const inner = (part: string) => (others.length === 0 ? [part] : wordsOf(part, others));
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > at) yield* inner(text.slice(at, match.index));
    yield* inner(match[0]);
    at = match.index + match[0].length;
  }
  if (at < text.length) yield* inner(text.slice(at));
}

/** Returns the matches and the text between them, in order (`Isolated`). */
function split(text: string, pattern: RegExp): string[] {
  const words = text.match(pattern) ?? [];
  let matched = 0;
  for (const word of words) matched += word.length;
  if (matched === text.length) return words;
  const pieces: string[] = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === '') continue;
    if (match.index > at) pieces.push(text.slice(at, match.index));
    pieces.push(match[0]);
    at = match.index + match[0].length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}

/**
 * Returns a pattern for added tokens in text; if several start at one place, the longest matches.
 */
function addedPattern(added: readonly AddedTokenJson[]): RegExp | undefined {
  const fussy = added.find(({ single_word, lstrip, rstrip }) => single_word || lstrip || rstrip);
  if (fussy) {
    throw new InputError(
      `tokenizer.json: added token "${fussy.content}" asks for single_word, lstrip or rstrip, which are not supported.`,
    );
  }
  const contents = added.map(({ content }) => content).filter((content) => content !== '');
  if (contents.length === 0) return undefined;
  const alternatives = contents
    .toSorted((a, b) => b.length - a.length)
    .map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  return new RegExp(alternatives.join('|'), 'gu');
}

/** Returns the special tokens around one sequence, from a TemplateProcessing step. */
function templateIds(json: PostProcessorJson | null | undefined): {
  prefix: readonly number[];
  suffix: readonly number[];
} {
  const steps = json?.type === 'Sequence' ? (json.processors ?? []) : json ? [json] : [];
  const prefix: number[] = [];
  const suffix: number[] = [];
  for (const step of steps) {
    if (step.type !== 'TemplateProcessing') continue;
    let into = prefix;
    for (const part of step.single ?? []) {
      if (part.SpecialToken) into.push(...(step.special_tokens?.[part.SpecialToken.id]?.ids ?? []));
      else into = suffix;
    }
  }
  return { prefix, suffix };
}

function specialTokens(config: TokenizerDefinition['config']): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const name of ['bos_token', 'eos_token'] as const) {
    const token = config?.[name];
    if (token) tokens[name] = typeof token === 'string' ? token : token.content;
  }
  return tokens;
}

function defaultTemplate(
  template: NonNullable<TokenizerDefinition['config']>['chat_template'],
): string | undefined {
  return typeof template === 'object'
    ? template.find(({ name }) => name === 'default')?.template
    : template;
}
