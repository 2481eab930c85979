// The multi-round-qa benchmark of vLLM's production stack: users who ask, wait for the answer, and
// ask again at their own pace, with the whole conversation as the prompt.

import type { Conversation, NewConversation } from '../conversations.ts';
import type { PromptTree } from '../prompt-tree.ts';
import { aboveZero, meaning, positive, tokensOrNone } from './fields.ts';
import type { Kind } from './kind.ts';

interface Settings {
  readonly users: number;
  readonly rounds: number;
  readonly qps: number;
  readonly sharedSystemPrompt: number;
  readonly userHistoryPrompt: number;
  readonly question: number;
  readonly answerLen: number;
}

/**
 * As upstream has it: a user asks every users / qps seconds, but not before the answer is there, so
 * a slow system quietly gets fewer questions (partly closed loop). Users join one by one, however
 * many are still there; the first ones begin in the middle of their conversation, without its
 * history. What it sends is qps · rounds / (rounds − 1): one user's `rounds` questions fall into
 * rounds − 1 gaps.
 *
 * @see https://github.com/vllm-project/production-stack/blob/main/benchmarks/multi-round-qa/multi-round-qa.py
 */
export const multiRoundQa: Kind<Settings> = {
  name: 'multi-round-qa',
  meaning:
    'The benchmark of vLLM’s production stack: users who ask every users / qps seconds, but not before they are answered, with the whole conversation as the prompt.',
  takesArrivals: false,
  fields: {
    users: meaning(positive, 'Users at a time (--num-users).'),
    rounds: meaning(positive, 'Questions of one user (--num-rounds).'),
    qps: meaning(aboveZero, 'Questions a second, of all users.'),
    sharedSystemPrompt: meaning(
      tokensOrNone,
      'Tokens that all prompts begin with (--shared-system-prompt).',
    ),
    userHistoryPrompt: meaning(
      tokensOrNone,
      'Tokens of one user’s own context (--user-history-prompt).',
    ),
    question: meaning(positive.default(20), 'Tokens of a question.'),
    answerLen: meaning(positive, 'Tokens of an answer (--answer-len).'),
  },
  conversations(settings, { tree }) {
    return users(settings, tree);
  },
  // A user asks `rounds` times in rounds − 1 gaps.
  offeredRate: ({ qps, rounds }) => (qps * rounds) / Math.max(1, rounds - 1),
};

function* users(settings: Settings, tree: PromptTree): Generator<NewConversation> {
  const gap = settings.users / settings.qps;
  const joinGap = (gap * Math.max(1, settings.rounds - 1)) / settings.users;
  let user = 0;
  // The ramp-up: the users who would have joined by now, each as far as it would be.
  for (; user < settings.users; user++) {
    const joinedSecondsAgo = (settings.users - user) * joinGap;
    const asked = Math.min(settings.rounds - 1, Math.floor(joinedSecondsAgo / gap) + 1);
    const atSeconds = Math.max(0, asked * gap - joinedSecondsAgo);
    const turns = userTurns({ ...settings, tree, atSeconds, asked });
    yield { startSeconds: 0, session: `user-${user}`, turns };
  }
  for (let atSeconds = joinGap; ; atSeconds += joinGap, user++) {
    const turns = userTurns({ ...settings, tree, atSeconds, asked: 0 });
    yield { startSeconds: atSeconds, session: `user-${user}`, turns };
  }
}

function* userTurns(
  options: Settings & {
    readonly tree: PromptTree;
    /** Of the first question. */
    readonly atSeconds: number;
    readonly asked: number;
  },
): Conversation {
  const { tree, rounds, question, answerLen } = options;
  const gap = options.users / options.qps;
  const system =
    options.sharedSystemPrompt > 0
      ? tree.extend(tree.root, options.sharedSystemPrompt, 'system')
      : tree.root;
  let text = tree.extend(system, options.userHistoryPrompt);
  let { atSeconds } = options;
  for (let round = options.asked; round < rounds; round++) {
    const prompt = tree.extend(text, question);
    const answer = yield { atSeconds, prompt, answerTokens: answerLen };
    text = answer.text;
    atSeconds = answer.sentSeconds + gap;
  }
}
