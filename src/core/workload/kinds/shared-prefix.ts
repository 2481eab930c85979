// Groups of questions, each group with its own system prompt: the workload of inference-perf's shared_prefix and
// of the llm-d guides.
import { z } from 'zod';
import { type Random, shuffled } from '../../base/index.ts';
import type { Conversation } from '../conversations.ts';
import { drawLength, type Lengths } from '../lengths.ts';
import type { PromptNode } from '../prompt-tree.ts';
import { adapterOf, adaptersOrNone, lengths, meaning, positive } from './fields.ts';
import type { Kind } from './kind.ts';
import { scheduled } from './scheduled.ts';

interface Settings {
  readonly groups: number;
  readonly promptsPerGroup: number;
  readonly systemPrompt: Lengths;
  readonly question: Lengths;
  readonly answer: Lengths;
  readonly order: 'shuffled' | 'shuffled-once' | 'by-group';
  readonly primed: boolean | number;
  readonly primingSeconds: number;
  readonly adapters: number;
}

export const sharedPrefix: Kind<Settings> = {
  name: 'shared-prefix',
  meaning:
    'Groups of questions, each group with its own system prompt. Each question is asked once before any is repeated.',
  takesArrivals: true,
  fields: {
    groups: meaning(positive, 'Number of different system prompts.'),
    promptsPerGroup: meaning(positive, 'Number of different questions per system prompt.'),
    systemPrompt: meaning(lengths, 'Tokens of a system prompt.'),
    question: meaning(lengths, 'Tokens of a question.'),
    answer: meaning(lengths, 'Tokens of a response.'),
    order: meaning(
      z.enum(['shuffled', 'shuffled-once', 'by-group']).default('shuffled'),
      'Order of the questions: drawn again for each pass, drawn once as inference-perf does, or group after group.',
    ),
    primed: meaning(
      z.union([z.boolean(), positive]).default(false),
      'Whether each system prompt, or how many of them, is first sent by itself, for a response of one token, so that caches are warm from the start.',
    ),
    primingSeconds: meaning(
      z.number().min(0).default(0),
      'Time over which these are sent, before the first question. At 0 all are sent at the start, beside the first questions.',
    ),
    adapters: adaptersOrNone,
  },
  requests: ({ groups, promptsPerGroup, primed }) =>
    groups * promptsPerGroup + primedOf(primed, groups),
  *conversations(settings, context) {
    const { groups, promptsPerGroup, systemPrompt, question, answer, adapters } = settings;
    const { primingSeconds } = settings;
    const primed = primedOf(settings.primed, groups);
    const { tree, random } = context;
    const systemTokens = Array.from({ length: groups }, () => drawLength(systemPrompt, random));
    const questionTokens = new Map<number, number>();
    const passes = passesOf(groups * promptsPerGroup, settings.order, random);
    const systemOf = (group: number) =>
      tree.extend(tree.root, systemTokens[group] as number, `system ${group}`);
    for (let group = 0; group < primed; group++) {
      const startSeconds = (group / primed) * primingSeconds;
      yield {
        ...{ startSeconds, session: `system-${group}` },
        turns: once(startSeconds, systemOf(group), adapterOf(group, adapters)),
      };
    }
    const draft = () => {
      const number = passes.next().value;
      const group = Math.floor(number / promptsPerGroup);
      const system = systemOf(group);
      const tokens = questionTokens.get(number) ?? drawLength(question, random);
      questionTokens.set(number, tokens);
      return {
        prompt: tree.extend(system, tokens, `question ${number}`),
        answerTokens: drawLength(answer, random),
        adapterId: adapterOf(group, adapters),
      };
    };
    yield* scheduled(context, draft, primed > 0 ? primingSeconds : 0);
  },
};

/** The number of system prompts that are sent by themselves. */
function primedOf(primed: Settings['primed'], groups: number): number {
  return typeof primed === 'number' ? Math.min(primed, groups) : primed ? groups : 0;
}

function* once(atSeconds: number, prompt: PromptNode, adapterId: number | undefined): Conversation {
  yield { atSeconds, prompt, answerTokens: 1, adapterId };
}

/** Yields the numbers below `count`, each once, then all again, without end. */
function* passesOf(
  count: number,
  order: Settings['order'],
  random: Random,
): Generator<number, never> {
  let numbers = Array.from({ length: count }, (_, i) => i);
  if (order === 'shuffled-once') numbers = shuffled(numbers, random);
  for (;;) {
    if (order === 'shuffled') numbers = shuffled(numbers, random);
    yield* numbers;
  }
}
