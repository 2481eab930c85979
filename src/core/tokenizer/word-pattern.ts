// Splits text into words before merging, with the patterns of tokenizer.json converted to
// JavaScript.
import { InputError } from '../base/index.ts';
import type { PreTokenizerJson } from './definition.ts';

/** GPT-2's words: the pattern of a ByteLevel step with `use_regex`. */
const gpt2Words = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

// Unicode's White_Space, which \s means in Oniguruma. JavaScript's \s includes U+FEFF and lacks
// U+0085.
const whiteSpace = String.raw`\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

/** The operation of a pre-tokenizer. */
export interface WordSplitter {
  /** Applied in order, each to the pieces from the one before. */
  readonly patterns: readonly RegExp[];
  readonly addsPrefixSpace: boolean;
}

/** @throws {InputError} If the pre-tokenizer is not {Split…, ByteLevel}. */
export function wordSplitter(json: PreTokenizerJson | null | undefined): WordSplitter {
  const steps = json?.type === 'Sequence' ? (json.pretokenizers ?? []) : json ? [json] : [];
  const patterns: RegExp[] = [];
  let byteLevel: PreTokenizerJson | undefined;
  for (const step of steps) {
    if (step.type === 'ByteLevel') {
      byteLevel = step;
      if (step.use_regex !== false) patterns.push(toRegExp(gpt2Words));
    } else if (step.type === 'Split' && step.behavior === 'Isolated' && !step.invert) {
      const literal = step.pattern?.String?.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      patterns.push(toRegExp(step.pattern?.Regex ?? literal ?? ''));
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
  return { patterns, addsPrefixSpace: byteLevel.add_prefix_space === true };
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
