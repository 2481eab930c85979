// Reads tool calls in Hermes' format from growing text, incrementally like vLLM's parser.
import type { ToolCallDelta } from '../../structured/tool-call.ts';

const start = '<tool_call>';
const end = '</tool_call>';

/** @see vllm/tool_parsers/hermes_tool_parser.py, `extract_tool_calls_streaming` */
export class ToolCallReader {
  readonly #newId: () => string;
  readonly #sent: string[] = [];
  #text = '';
  #contentSent = 0;

  /** @param newId Returns the id of each new call. */
  constructor(newId: () => string) {
    this.#newId = newId;
  }

  push(text: string): { readonly content: string; readonly calls: readonly ToolCallDelta[] } {
    this.#text += text;
    const calls: ToolCallDelta[] = [];
    for (const [index, { json, isWhole }] of callTexts(this.#text).entries()) {
      const name = /"name"\s*:\s*"([^"]+)"/.exec(json)?.[1];
      if (this.#sent[index] === undefined) {
        if (name === undefined) break;
        this.#sent[index] = '';
        calls.push({ id: this.#newId(), type: 'function', index, function: { name } });
      }
      const written = argumentsOf(json, isWhole);
      const sent = this.#sent[index] as string;
      if (written === undefined || written.length <= sent.length) continue;
      calls.push({ index, function: { arguments: written.slice(sent.length) } });
      this.#sent[index] = written;
    }
    return { content: this.#content(), calls };
  }

  /** The unreported text before the first call; text that may begin a mark is held back. */
  #content(): string {
    const at = this.#text.indexOf(start);
    const until = at === -1 ? this.#text.length - overlap(this.#text, start) : at;
    const content = this.#text.slice(this.#contentSent, until);
    this.#contentSent = Math.max(this.#contentSent, until);
    return content;
  }
}

function callTexts(text: string): { readonly json: string; readonly isWhole: boolean }[] {
  return text
    .split(start)
    .slice(1)
    .map((part) => {
      const at = part.indexOf(end);
      if (at !== -1) return { json: part.slice(0, at).trim(), isWhole: true };
      const json = part.slice(0, part.length - overlap(part, end)).trim();
      return { json, isWhole: isJson(json) };
    });
}

function argumentsOf(json: string, isWhole: boolean): string | undefined {
  const match = /"arguments"\s*:\s*/.exec(json);
  if (!match) return undefined;
  const raw = json.slice(match.index + match[0].length);
  return isWhole ? raw.trimEnd().replace(/\}$/, '').trimEnd() : raw;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Number of characters at the end of the text that could begin the mark. */
function overlap(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length--) {
    if (mark.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
