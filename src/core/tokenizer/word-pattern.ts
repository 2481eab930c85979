// Splits text into words before merging, with the patterns of tokenizer.json converted to
// JavaScript.
import { InputError } from '../base/index.ts';
import type { PreTokenizerJson } from './tokenizer-json.ts';

/** GPT-2's words: the pattern of a ByteLevel step with `use_regex`. */
const gpt2Words = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

// Unicode's White_Space, which \s means in Oniguruma. JavaScript's \s includes U+FEFF and lacks
// U+0085.
const whiteSpace = String.raw`\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

/** Words of cl100k_base: Qwen's, and Llama 3's but for the number of digits. */
const cl100kWords = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** Words of o200k_base. */
const o200kWords = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/**
 * Patterns of which no alternative matches a letter with a space behind it, and of which none looks behind: cutting
 * there changes no word on either side.
 */
const endingBeforeSpace: ReadonlySet<string> = new Set([gpt2Words, cl100kWords, o200kWords]);

/** How many digits make a word does not matter to letters. */
function withoutDigitCount(pattern: string): string {
  return pattern.replace('\\p{N}{1,3}', '\\p{N}');
}

/** The operation of a pre-tokenizer. */
export interface WordSplitter {
  /** Applied in order, each to the pieces from the one before. */
  readonly patterns: readonly RegExp[];
  readonly addsPrefixSpace: boolean;
  /**
   * Whether a word always ends between an ASCII letter and a space with an ASCII letter behind it, so that text may
   * be cut there.
   */
  readonly endsBeforeSpace: boolean;
}

/** @throws {InputError} If the pre-tokenizer is not {Split…, ByteLevel}. */
export function wordSplitter(json: PreTokenizerJson | null | undefined): WordSplitter {
  const steps = json?.type === 'Sequence' ? (json.pretokenizers ?? []) : json ? [json] : [];
  const patterns: RegExp[] = [];
  const sources: string[] = [];
  let byteLevel: PreTokenizerJson | undefined;
  for (const step of steps) {
    if (step.type === 'ByteLevel') {
      byteLevel = step;
      if (step.use_regex !== false) {
        patterns.push(toRegExp(gpt2Words));
        sources.push(gpt2Words);
      }
    } else if (step.type === 'Split' && step.behavior === 'Isolated' && !step.invert) {
      const literal = step.pattern?.String?.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      const source = step.pattern?.Regex ?? literal ?? '';
      patterns.push(toRegExp(source));
      sources.push(source);
    } else {
      throw new InputError(
        `tokenizer.json: pre_tokenizer step ${step.type}${step.behavior ? ` (${step.behavior})` : ''} is not supported; Split (Isolated) and ByteLevel are.`,
      );
    }
  }
  if (!byteLevel) {
    throw new InputError(
      'tokenizer.json: pre_tokenizer has no ByteLevel step; only byte-level BPE is supported.',
    );
  }
  const addsPrefixSpace = byteLevel.add_prefix_space === true;
  const [only = ''] = sources;
  const endsBeforeSpace =
    !addsPrefixSpace && sources.length === 1 && endingBeforeSpace.has(withoutDigitCount(only));
  return { patterns, addsPrefixSpace, endsBeforeSpace };
}

/**
 * Converts a pattern for Oniguruma, the engine of Hugging Face's tokenizers, to a global Unicode
 * RegExp.
 */
export function toRegExp(pattern: string): RegExp {
  const spelled = expandIgnoreCase(pattern);
  let source = '';
  let isInClass = false;
  for (let i = 0; i < spelled.length; i++) {
    const pair = spelled.slice(i, i + 2);
    if (pair === '\\s' || (pair === '\\S' && !isInClass)) {
      source += pair === '\\S' ? `[^${whiteSpace}]` : isInClass ? whiteSpace : `[${whiteSpace}]`;
      i++;
    } else if (spelled[i] === '\\') {
      source += pair;
      i++;
    } else {
      if (spelled[i] === '[') isInClass = true;
      if (spelled[i] === ']') isInClass = false;
      source += spelled[i];
    }
  }
  try {
    return new RegExp(source, 'gu');
  } catch (cause) {
    throw new InputError(`tokenizer.json: the pattern ${pattern} cannot be used.`, { cause });
  }
}

/** Expands `(?i:…)`, which JavaScript supports only since V8 12.5; Node 22 has an older one. */
function expandIgnoreCase(pattern: string): string {
  return pattern.replace(
    /\(\?i:([^()]*)\)/g,
    (_, body: string) =>
      `(?:${body.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}${folds[letter.toLowerCase()] ?? ''}]`)})`,
  );
}

/** Characters outside ASCII that fold to an ASCII letter: long s and the Kelvin sign. */
const folds: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };
