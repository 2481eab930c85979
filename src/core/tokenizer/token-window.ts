// Decodes a stream of tokens with the state held by the caller: the last few tokens.
import { byteOfCharacter } from './byte-level.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The last tokens as the vocabulary writes them, and how much of them has been decoded. */
export interface TokenWindow {
  readonly tokens: readonly string[];
  readonly prefixOffset: number;
  readonly readOffset: number;
}

/** vllm/tokenizers/detokenizer_utils.py, INITIAL_INCREMENTAL_DETOKENIZATION_OFFSET */
const promptTokensRead = 5;

/** Maximum length of a window; bytes that never become a character end there. */
const windowTokensMax = 1024;

/** Returns the window at the end of a prompt. */
export function promptWindow(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  skipSpecialTokens: boolean,
): TokenWindow {
  // Two more, in case some are special, as in vLLM.
  const last = prompt.slice(-promptTokensRead - 2);
  const tokens = last.flatMap((id) => written(tokenizer, id, skipSpecialTokens));
  const readOffset = tokens.length;
  return { tokens, prefixOffset: Math.max(0, readOffset - promptTokensRead), readOffset };
}

/**
 * Returns the text that these tokens complete, and the window after them.
 *
 * @see vllm/tokenizers/detokenizer_utils.py, `detokenize_incrementally`
 */
export function readTokens(
  tokenizer: Tokenizer,
  window: TokenWindow,
  options: { readonly ids: readonly number[]; readonly skipSpecialTokens: boolean },
): { readonly text: string; readonly window: TokenWindow } {
  let { tokens, prefixOffset, readOffset } = window;
  let text = '';
  for (const id of options.ids) {
    const all = [...tokens, ...written(tokenizer, id, options.skipSpecialTokens)];
    const known = Array.from(entriesText(all.slice(prefixOffset, readOffset)));
    const whole = Array.from(entriesText(all.slice(prefixOffset)));
    const isOpen = whole.at(-1) === '\ufffd' && all.length < windowTokensMax;
    if (whole.length > known.length && !isOpen) {
      text += whole.slice(known.length).join('');
      prefixOffset = readOffset;
      readOffset = all.length;
    }
    // Tokens before the prefix are not needed again.
    tokens = all.slice(prefixOffset);
    readOffset -= prefixOffset;
    prefixOffset = 0;
  }
  return { text, window: { tokens, prefixOffset, readOffset } };
}

/**
 * Returns nothing for a special token that is skipped, an empty entry for an id outside the
 * vocabulary.
 */
function written(tokenizer: Tokenizer, id: number, skipSpecialTokens: boolean): string[] {
  if (id < 0 || id >= tokenizer.vocabularySize) return [''];
  if (skipSpecialTokens && tokenizer.isSpecial(id)) return [];
  return [tokenizer.vocabularyEntry(id)];
}

/** Byte-level entries represent bytes; an entry with a character outside that alphabet is text. */
function entriesText(entries: readonly string[]): string {
  const bytes = entries.flatMap((entry) => {
    const read = Array.from(entry, (character) => byteOfCharacter(character.charCodeAt(0)));
    const isText = read.includes(undefined) || read.length !== entry.length;
    return isText ? [...new TextEncoder().encode(entry)] : (read as number[]);
  });
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
