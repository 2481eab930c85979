// Reads server-sent events from a response: `EventSource` cannot send an API key as a header.

/** Longest event; a stream with a longer one is broken. The view of 200 engines is 150 kB. */
const eventLengthMax = 8 * 2 ** 20;

/**
 * Yields the data of each event as the bytes arrive.
 *
 * @throws {RangeError} If an event is longer than 8 MiB.
 */
export async function* eventData(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = dataOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (data !== undefined) yield data;
      }
      if (text.length > eventLengthMax) throw new RangeError('An event is longer than 8 MiB.');
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The data lines of an event, joined; undefined if it has none. */
function dataOf(event: string): string | undefined {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'));
  if (lines.length === 0) return undefined;
  return lines.map((line) => line.slice(line[5] === ' ' ? 6 : 5)).join('\n');
}
