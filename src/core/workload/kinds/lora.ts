// Requests to LoRA adapters of one base model, each with its own system prompt. KV of one adapter is useless to
// another one, even for equal text, and an engine runs only a few adapters in one step.
import { z } from 'zod';
import type { Random } from '../../base/index.ts';
import { drawLength, type Lengths } from '../lengths.ts';
import { lengths, meaning, positive } from './fields.ts';
import type { Kind } from './kind.ts';
import { scheduled } from './scheduled.ts';

interface Settings {
  readonly adapters: number;
  readonly skew: number;
  readonly systemPrompt: Lengths;
  readonly question: Lengths;
  readonly answer: Lengths;
}

export const lora: Kind<Settings> = {
  name: 'lora',
  meaning:
    'Requests to LoRA adapters, each with its own system prompt. Adapters share no KV cache, and a step has at most maxLoras of them.',
  takesArrivals: true,
  fields: {
    adapters: meaning(positive, 'Number of adapters.'),
    skew: meaning(
      z.number().min(0).max(5).default(0),
      'Exponent of their popularity: adapter n gets 1 / n^skew as many requests as the first; 0: all the same.',
    ),
    systemPrompt: meaning(lengths, 'Tokens of an adapter’s system prompt.'),
    question: meaning(lengths, 'Tokens of a question.'),
    answer: meaning(lengths, 'Tokens of a response.'),
  },
  conversations(settings, context) {
    const { adapters, skew, systemPrompt, question, answer } = settings;
    const { tree, random } = context;
    const systemTokens = Array.from({ length: adapters }, () => drawLength(systemPrompt, random));
    const draw = drawer(adapters, skew);
    return scheduled(context, () => {
      const adapter = draw(random);
      const system = tree.extend(tree.root, systemTokens[adapter] as number, `adapter ${adapter}`);
      return {
        prompt: tree.extend(system, drawLength(question, random)),
        answerTokens: drawLength(answer, random),
        // vLLM numbers adapters from 1.
        adapterId: adapter + 1,
      };
    });
  },
};

/** Draws an adapter, counted from 0, by its popularity. */
function drawer(adapters: number, skew: number): (random: Random) => number {
  const sums: number[] = [];
  let sum = 0;
  for (let i = 1; i <= adapters; i++) {
    sum += i ** -skew;
    sums.push(sum);
  }
  return (random) => {
    const at = random.next() * sum;
    return Math.min(
      adapters - 1,
      sums.findIndex((upTo) => at < upTo),
    );
  };
}
