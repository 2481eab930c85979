// Agents: a task is a chain of requests. Each prompt contains everything before it, followed by the result of
// a tool.
import { z } from 'zod';
import { type Random, randomExponential, randomInteger } from '../../base/index.ts';
import { arrivalTimes } from '../arrivals.ts';
import type { Answer, Conversation, Turn } from '../conversations.ts';
import { drawLength, type Lengths } from '../lengths.ts';
import type { PromptNode, PromptTree } from '../prompt-tree.ts';
import { adapterOf, adaptersOrNone, lengths, meaning, positive } from './fields.ts';
import type { Kind } from './kind.ts';
import { clientStarts, isClosed } from './scheduled.ts';

interface Settings {
  readonly roles: number;
  readonly systemPrompt: Lengths;
  readonly task: Lengths;
  readonly steps: number;
  readonly toolResult: Lengths;
  readonly toolSeconds: number;
  readonly answer: Lengths;
  readonly adapters: number;
}

export const agents: Kind<Settings> = {
  name: 'agents',
  meaning:
    'Agents: a task is a chain of requests; the prompt of each consists of everything before it and the result of a tool. Arrivals are tasks.',
  takesArrivals: true,
  fields: {
    roles: meaning(positive.default(1), 'Kinds of agent, drawn evenly.'),
    systemPrompt: meaning(
      lengths,
      'Tokens of a role’s instructions and tool definitions, which its tasks share.',
    ),
    task: meaning(lengths, 'Tokens of a task’s first prompt, not counting the role’s.'),
    steps: meaning(
      z.number().min(1),
      'Mean number of requests per task, geometrically distributed.',
    ),
    toolResult: meaning(lengths, 'Tokens that a tool adds between two requests.'),
    toolSeconds: meaning(
      z.number().min(0).default(1),
      'Mean run time of a tool, exponentially distributed.',
    ),
    answer: meaning(lengths, 'Tokens of a response.'),
    adapters: adaptersOrNone,
  },
  *conversations(settings, { tree, random, arrivals }) {
    if (arrivals === undefined) throw new Error('Agents need arrivals');
    const systemTokens = Array.from({ length: settings.roles }, () =>
      drawLength(settings.systemPrompt, random),
    );
    const system = (): Role => {
      const role = randomInteger(random, settings.roles);
      return {
        system: tree.extend(tree.root, systemTokens[role] as number, `role ${role}`),
        adapterId: adapterOf(role, settings.adapters),
      };
    };
    if (isClosed(arrivals)) {
      const { thinkSeconds } = arrivals;
      for (const [i, startSeconds] of clientStarts(arrivals).entries()) {
        const turns = client({ settings, tree, random, system, thinkSeconds, startSeconds });
        yield { startSeconds, session: `client-${i}`, turns };
      }
      return;
    }
    let task = 0;
    for (const startSeconds of arrivalTimes(arrivals, random)) {
      const turns = oneTask({ settings, tree, random, startSeconds, ...system() });
      yield { startSeconds, session: `task-${task++}`, turns };
    }
  },
};

interface Shared {
  readonly settings: Settings;
  readonly tree: PromptTree;
  readonly random: Random;
}

/** Runs one task after the other. */
function* client(
  options: Shared & {
    readonly system: () => Role;
    readonly thinkSeconds: number;
    readonly startSeconds: number;
  },
): Conversation {
  const { thinkSeconds, random } = options;
  for (let { startSeconds } = options; ; ) {
    const endSeconds = yield* taskTurns({ ...options, ...options.system(), startSeconds });
    startSeconds = endSeconds + (thinkSeconds === 0 ? 0 : randomExponential(random, thinkSeconds));
  }
}

function* oneTask(options: Task): Conversation {
  yield* taskTurns(options);
}

/** The role's instructions, and the LoRA adapter that all requests of its tasks need. */
interface Role {
  readonly system: PromptNode;
  readonly adapterId: number | undefined;
}

interface Task extends Shared, Role {
  readonly startSeconds: number;
}

/** @returns When the task ended. */
function* taskTurns(options: Task): Generator<Turn, number, Answer> {
  const { settings, tree, random, adapterId } = options;
  let prompt = tree.extend(options.system, drawLength(settings.task, random));
  let atSeconds = options.startSeconds;
  for (;;) {
    const answerTokens = drawLength(settings.answer, random);
    const { answeredSeconds, text } = yield { atSeconds, prompt, answerTokens, adapterId };
    // A chain of mean length m ends after each request with probability 1 / m.
    if (random.next() * settings.steps < 1) return answeredSeconds;
    const { toolSeconds } = settings;
    atSeconds = answeredSeconds + (toolSeconds === 0 ? 0 : randomExponential(random, toolSeconds));
    prompt = tree.extend(text, drawLength(settings.toolResult, random));
  }
}
