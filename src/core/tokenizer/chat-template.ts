// Renders chat messages as prompt text with the model's own Jinja template.
import { Template } from '@huggingface/jinja';
import { InputError } from '../base/index.ts';
import { pythonStrip, stripFunction, usePythonStrip } from './python-strip.ts';

/** A message as templates read it: `content` is text, tool arguments are objects. */
export interface TemplateMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

export interface ChatTemplateOptions {
  readonly tools?: readonly unknown[] | undefined;
  /** Ends the prompt with the start of the assistant's turn. @default true */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Ends the prompt within the last message, which the model continues. @default false */
  readonly continueFinalMessage?: boolean | undefined;
  /** More variables for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/** A compiled template: compiling takes 0.4–2 ms, rendering 0.05 ms. */
export class ChatTemplate {
  readonly #template: Template;
  readonly #specialTokens: Readonly<Record<string, string>>;

  /** @param specialTokens `bos_token` and `eos_token`, which templates may use. */
  constructor(source: string, specialTokens: Readonly<Record<string, string>>) {
    this.#template = new Template(source);
    usePythonStrip(this.#template.parsed);
    this.#specialTokens = specialTokens;
  }

  /** @throws {InputError} If the template refuses the messages, with the template's own message. */
  render(messages: readonly TemplateMessage[], options: ChatTemplateOptions = {}): string {
    const goesOn = options.continueFinalMessage === true;
    if (goesOn && options.addGenerationPrompt === true) {
      throw new InputError(
        'continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want the model to continue the final message, and add_generation_prompt when you want to add a header that will prompt it to start a new assistant message instead.',
      );
    }
    const rendered = this.#render(goesOn ? withTag(messages) : messages, options);
    return goesOn ? cutAtTag(rendered, String(messages.at(-1)?.content ?? '')) : rendered;
  }

  #render(messages: readonly TemplateMessage[], options: ChatTemplateOptions): string {
    // Templates read undefined variables, and each such access throws inside the library: with
    // stack traces that was a third of the rendering time.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return this.#template.render({
        ...this.#specialTokens,
        [stripFunction]: pythonStrip,
        tools: options.tools ?? null,
        ...options.variables,
        messages,
        add_generation_prompt:
          options.continueFinalMessage !== true && options.addGenerationPrompt !== false,
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new InputError(reason, { cause });
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

/** Appended to a message that is to be continued, to find its end; the same as in transformers. */
const continueTag = 'CONTINUE_FINAL_MESSAGE_TAG ';

function withTag(messages: readonly TemplateMessage[]): readonly TemplateMessage[] {
  const final = messages.at(-1);
  if (final === undefined) return messages;
  return [...messages.slice(0, -1), { ...final, content: `${final.content ?? ''}${continueTag}` }];
}

/** Cuts like `continue_final_message` of transformers' apply_chat_template. */
function cutAtTag(rendered: string, final: string): string {
  const at = rendered.lastIndexOf(continueTag.trim());
  if (at === -1 || !rendered.includes(pythonStrip(final, 'strip'))) {
    throw new InputError(
      `continue_final_message is set but the final message does not appear in the chat after applying the chat template! This can happen if the chat template deletes portions of the final message. Please verify the chat template and final message in your chat to ensure they are compatible.Final message to continue: ${pythonStrip(final, 'strip')}\nRendered chat:\n${pythonStrip(rendered, 'rstrip')}`,
    );
  }
  const kept = rendered.slice(0, at);
  // A template that trims messages has also removed the white space before the cut.
  return rendered.startsWith(continueTag, at) ? kept : pythonStrip(kept, 'rstrip');
}
