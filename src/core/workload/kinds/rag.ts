// Retrieval: a system prompt, some documents of a corpus, and a question.
import { z } from 'zod';
import type { Random } from '../../base/index.ts';
import { zipfRanks } from '../draws.ts';
import { drawLength, type Lengths } from '../lengths.ts';
import { lengths, meaning, positive, tokensOrNone } from './fields.ts';
import type { Kind } from './kind.ts';
import { scheduled } from './scheduled.ts';

interface Settings {
  readonly documents: number;
  readonly documentTokens: Lengths;
  readonly perRequest: number;
  readonly popularity: number;
  readonly order: 'retrieved' | 'sorted';
  readonly systemPrompt: number;
  readonly question: Lengths;
  readonly answer: Lengths;
}

export const rag: Kind<Settings> = {
  name: 'rag',
  meaning:
    'Retrieval: a system prompt, documents drawn from a corpus, and a question. A document is cached only after the same preceding documents.',
  takesArrivals: true,
  fields: {
    documents: meaning(positive, 'Number of documents in the corpus.'),
    documentTokens: meaning(lengths, 'Tokens of a document.'),
    perRequest: meaning(positive, 'Number of documents in a prompt, all different.'),
    popularity: meaning(
      z.number().min(0).default(1),
      'Exponent of the Zipf distribution of documents; 0: uniform.',
    ),
    order: meaning(
      z.enum(['retrieved', 'sorted']).default('retrieved'),
      'Order in the prompt: as drawn, or the same documents always in the same order.',
    ),
    systemPrompt: meaning(tokensOrNone, 'Tokens at the start of all prompts.'),
    question: meaning(lengths, 'Tokens of a question.'),
    answer: meaning(lengths, 'Tokens of a response.'),
  },
  conversations(settings, context) {
    const { documents, documentTokens, perRequest, systemPrompt, question, answer } = settings;
    const { tree, random } = context;
    const system = systemPrompt > 0 ? tree.extend(tree.root, systemPrompt, 'system') : tree.root;
    const tokens = Array.from({ length: documents }, () => drawLength(documentTokens, random));
    const rank = zipfRanks(documents, settings.popularity);
    return scheduled(context, () => {
      const drawn = distinct(Math.min(perRequest, documents), rank, random);
      if (settings.order === 'sorted') drawn.sort((a, b) => a - b);
      const behind = drawn.reduce(
        (node, document) => tree.extend(node, tokens[document] as number, `document ${document}`),
        system,
      );
      return {
        prompt: tree.extend(behind, drawLength(question, random)),
        answerTokens: drawLength(answer, random),
      };
    });
  },
};

const triesPerDraw = 100;

function distinct(count: number, draw: (random: Random) => number, random: Random): number[] {
  const drawn = new Set<number>();
  for (let tries = 0; drawn.size < count && tries < triesPerDraw * count; tries++) {
    drawn.add(draw(random));
  }
  // With a large exponent the rare ones are hardly ever drawn: then the most popular remaining ones are used.
  for (let rank = 0; drawn.size < count; rank++) drawn.add(rank);
  return [...drawn];
}
