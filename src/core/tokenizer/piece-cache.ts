// Caches the tokens of pieces of text, so that of a longer conversation only the new turn is encoded.

/** Maximum number of UTF-16 units of all cached pieces: 4 million tokens of English, 50 MB at most. */
const pieceCharactersMaxDefault = 16 * 1024 * 1024;
/** What an entry costs besides its text and tokens, as UTF-16 units, so that short pieces are bounded too. */
const entryCharacters = 64;

/**
 * Pieces by their content. A bounded cache with two generations: when the young one is full, it becomes the
 * old one, and entries of the old one that were not read meanwhile are dropped. Use one cache per tokenizer.
 */
export class PieceCache {
  readonly #generationMax: number;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #young = new Map<string, Uint32Array>();
  #old = new Map<string, Uint32Array>();
  #youngCharacters = 0;
  #oldCharacters = 0;

  /** @param pieceCharactersMax Maximum number of UTF-16 units, with a constant per piece. */
  constructor(pieceCharactersMax: number = pieceCharactersMaxDefault) {
    this.#generationMax = pieceCharactersMax / 2;
  }

  /** UTF-16 units of all cached pieces, with a constant per piece. */
  get characters(): number {
    return this.#youngCharacters + this.#oldCharacters;
  }

  get(piece: string): Uint32Array | undefined {
    const young = this.#young.get(piece);
    if (young !== undefined) return young;
    const old = this.#old.get(piece);
    if (old !== undefined) this.set(piece, old);
    return old;
  }

  /** @param piece Well-formed text. One that is larger than half of the cache is not kept. */
  set(piece: string, tokens: Uint32Array): void {
    const characters = piece.length + entryCharacters;
    if (characters > this.#generationMax) return;
    if (this.#youngCharacters + characters > this.#generationMax) {
      this.#old = this.#young;
      this.#oldCharacters = this.#youngCharacters;
      this.#young = new Map();
      this.#youngCharacters = 0;
    }
    // A copy: V8 keeps the whole text in memory for a part of it.
    this.#young.set(this.#decoder.decode(this.#encoder.encode(piece)), tokens);
    this.#youngCharacters += characters;
  }
}
