// POST /invocations: SageMaker's one route for chat and completions alike.
import type { Engine } from '../engine.ts';
import type { Handler } from '../http/server.ts';
import { answerChat } from './chat-completions.ts';
import { answerCompletion } from './completions.ts';

export function invocationsRoute(engine: Engine): Handler {
  return async (exchange) => {
    const body = await exchange.json();
    const isChat = typeof body === 'object' && body !== null && 'messages' in body;
    (isChat ? answerChat : answerCompletion)(engine, exchange, body);
  };
}
