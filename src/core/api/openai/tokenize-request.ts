// The body of POST /tokenize: a prompt or messages. The form that reads more fields wins, as in
// Pydantic; a body that matches neither is reported with the issues of both.
import type { ChatMessage } from './chat-message.ts';
import { messageField } from './chat-message.ts';
import { toolField } from './chat-request.ts';
import { pythonType } from './python-repr.ts';
import { checkGenerationPrompt } from './raw-checks.ts';
import {
  anything,
  boolean,
  dictionary,
  type Issue,
  list,
  notNull,
  object,
  type Parser,
  type Read,
  schemaError,
  string,
} from './schema.ts';

/** Both in vLLM's order, which is the order of the error report. */
const promptFields = {
  model: string,
  prompt: notNull(string),
  add_special_tokens: notNull(boolean),
  return_token_strs: boolean,
} as const;

const messagesFields = {
  model: string,
  messages: notNull(list(messageField)),
  add_generation_prompt: notNull(boolean),
  return_token_strs: boolean,
  continue_final_message: notNull(boolean),
  add_special_tokens: notNull(boolean),
  chat_template: string,
  chat_template_kwargs: dictionary(anything),
  media_io_kwargs: dictionary(dictionary(anything)),
  mm_processor_kwargs: dictionary(anything),
  tools: list(toolField),
} as const;

type PromptForm = Read<typeof promptFields> & { readonly prompt: string };
type MessagesForm = Omit<Read<typeof messagesFields>, 'messages'> & {
  readonly messages: readonly ChatMessage[];
};

/** One form, and the unparsed fields of the other one. */
export type TokenizeRequest = { readonly rest: Readonly<Record<string, unknown>> } & (
  | PromptForm
  | MessagesForm
);

const promptForm = object(promptFields, ['prompt']) as Parser<PromptForm>;
const messagesForm = object(messagesFields, ['messages']) as Parser<MessagesForm>;

/** @throws {ApiError} 400 with the issues of both forms. */
export function readTokenizeRequest(body: unknown): TokenizeRequest {
  if (body === null) {
    throw schemaError([{ type: 'missing', loc: 'body', msg: 'Field required', input: null }]);
  }
  if (pythonType(body) === 'dict') checkGenerationPrompt(body as Readonly<Record<string, unknown>>);
  const [promptIssues, messagesIssues]: [Issue[], Issue[]] = [[], []];
  const asPrompt = promptForm(body, 'body', promptIssues);
  const asMessages = messagesForm(body, 'body', messagesIssues);
  const prompt = promptIssues.length === 0 ? asPrompt : undefined;
  const messages = messagesIssues.length === 0 ? asMessages : undefined;
  const chosen =
    messages && (!prompt || fieldCount(messages) > fieldCount(prompt)) ? messages : prompt;
  if (chosen === undefined) throw schemaError([...promptIssues, ...messagesIssues]);
  return { ...chosen, rest: body as Readonly<Record<string, unknown>> };
}

/** Returns the number of set fields; those of messages count too. */
function fieldCount(form: PromptForm | MessagesForm): number {
  const given = (fields: object) =>
    Object.values(fields).filter((value) => value !== undefined).length;
  const inner = 'messages' in form ? form.messages.map(given) : [];
  return inner.reduce((total, count) => total + count, given(form));
}
