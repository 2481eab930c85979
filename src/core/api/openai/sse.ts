// Server-sent events as the OpenAI API uses them: one `data:` line per event.

/** `Content-Type` of an event stream. */
export const sseContentType = 'text/event-stream; charset=utf-8';

/** Ends every stream of chat and completions, also a failed one. */
export const sseDone = 'data: [DONE]\n\n';

/** @param json One JSON document without line breaks. */
export function sseEvent(json: string): string {
  return `data: ${json}\n\n`;
}

/** An event with a name, as Anthropic's API and OpenAI's Responses send them. */
export function namedSseEvent(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
