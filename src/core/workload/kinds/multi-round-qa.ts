// The multi-round-qa benchmark of vLLM's production stack: users ask, wait for the response, and ask again at
// their own pace, with the whole conversation as the prompt.

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
 * Works as upstream: a user asks every users / qps seconds, but not before the previous response is complete, so
 * a slow system receives fewer questions without notice (a partly closed loop). Users join one by one,
 * regardless of how many are still active; the first ones begin in the middle of their conversation, without its
 * history. The rate is qps · rounds / (rounds − 1), because a user's `rounds` questions have rounds − 1 gaps.
 *
 * @see https://github.com/vllm-project/production-stack/blob/main/benchmarks/multi-round-qa/multi-round-qa.py
 */
export const multiRoundQa: Kind<Settings> = {
  name: 'multi-round-qa',
  meaning:
    'The benchmark of vLLM’s production stack: each user sends a request every users / qps seconds, but not before the previous response, with the whole conversation as the prompt.',
  takesArrivals: false,
  fields: {
    users: meaning(positive, 'Concurrent users (--num-users).'),
    rounds: meaning(positive, 'Questions per user (--num-rounds).'),
    qps: meaning(
      aboveZero,
      'Pace: a user asks every users / qps seconds, so that all ask qps · rounds / (rounds − 1) questions per second (--qps).',
    ),
    sharedSystemPrompt: meaning(
      tokensOrNone,
      'Tokens at the start of all prompts (--shared-system-prompt).',
    ),
    userHistoryPrompt: meaning(
      tokensOrNone,
      'Tokens of each user’s own context (--user-history-prompt).',
    ),
    question: meaning(positive.default(20), 'Tokens of a question.'),
    answerLen: meaning(positive, 'Tokens of a response (--answer-len).'),
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
  // The ramp-up: the users who would have joined by now, each at its current point.
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
    /** Time of the first question. */
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
