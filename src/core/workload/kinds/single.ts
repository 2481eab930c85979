// Requests without shared prefixes.
import { drawLength, type Lengths } from '../lengths.ts';
import { lengths, meaning } from './fields.ts';
import type { Kind } from './kind.ts';
import { scheduled } from './scheduled.ts';

interface Settings {
  readonly prompt: Lengths;
  readonly answer: Lengths;
}

export const single: Kind<Settings> = {
  name: 'single',
  meaning: 'Independent requests: no prefix is shared.',
  takesArrivals: true,
  fields: {
    prompt: meaning(lengths, 'Tokens of a prompt.'),
    answer: meaning(lengths, 'Tokens of a response.'),
  },
  conversations({ prompt, answer }, context) {
    const { tree, random } = context;
    return scheduled(context, () => ({
      prompt: tree.extend(tree.root, drawLength(prompt, random)),
      answerTokens: drawLength(answer, random),
    }));
  },
};
