// The tokens of a request's prompt, as vLLM computes them.
export { type ChatTextRequest, chatText } from './chat-text.ts';
export {
  type NotTokenized,
  type PromptKind,
  PromptTokenizer,
  type TokenizedPrompt,
} from './prompt-tokenizer.ts';
