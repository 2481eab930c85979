// Streams of Anthropic's Messages and OpenAI's Responses as a client reads them, for tests of streams that move.
import assert from 'node:assert/strict';
import { type Faults, jsonHeaders, model, textOf } from './faulty-stack.ts';

export const messagesPath = '/v1/messages';
export const responsesPath = '/v1/responses';

/** An engine whose streams are cut after so many events. */
export const cut = (events: number): Faults => ({ cutStream: { probability: 1, events } });

export type Data = Record<string, unknown> & { readonly type: string };

/** The events of a stream; each name must be that of its data. */
export async function eventsOf(
  url: string,
  path: string,
  body: object,
  query = '',
): Promise<Data[]> {
  const response = await fetch(`${url}${path}${query}`, {
    ...{ method: 'POST', headers: jsonHeaders },
    body: JSON.stringify({ model, stream: true, ...body }),
  });
  assert.equal(response.status, 200);
  const text = await textOf(response);
  return text.split(/\n\n+/).flatMap((event) => {
    if (event === '') return [];
    const [, name, json = ''] = /^(?:event: (.*)\n)?data: (.*)$/.exec(event) ?? assert.fail(event);
    if (json === '[DONE]') return [];
    const data = JSON.parse(json);
    if (name !== undefined) assert.equal(data.type, name);
    return [data];
  });
}

/** Joins the deltas of each text, because engines divide it differently; the rest stays in its order. */
function joinedDeltas(events: readonly Data[]): Data[] {
  const joined: Data[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (last !== undefined && isDelta(event) && keyOf(event) === keyOf(last)) {
      joined[joined.length - 1] = withDelta(last, deltaOf(last) + deltaOf(event));
    } else joined.push(event);
  }
  return joined;
}

const textFields = ['text', 'thinking', 'partial_json'] as const;

export function isDelta(event: Data): boolean {
  return typeof deltaOf(event) === 'string';
}

export function deltaOf({ delta }: Data): string {
  if (typeof delta === 'string') return delta;
  const fields = (delta ?? {}) as Record<string, string>;
  return textFields.map((field) => fields[field]).find((text) => text !== undefined) as string;
}

function withDelta(event: Data, text: string): Data {
  if (typeof event['delta'] === 'string') return { ...event, delta: text };
  const delta = { ...(event['delta'] as Record<string, string>) };
  for (const field of textFields) if (field in delta) delta[field] = text;
  return { ...event, delta };
}

function keyOf(event: Data): string {
  return JSON.stringify({ ...withDelta(event, ''), sequence_number: 0 });
}

/** Replaces what differs between two requests: ids and signatures by their order, times, cached tokens, numbers. */
function withoutChance(events: readonly Data[]): unknown {
  const names = new Map<string, string>();
  return JSON.parse(JSON.stringify(events), (key, value) => {
    if (['id', 'item_id', 'call_id', 'signature'].includes(key) && typeof value === 'string') {
      if (!names.has(value)) names.set(value, `id ${names.size}`);
      return names.get(value);
    }
    const isChance =
      key === 'created_at' || key === 'metrics' || key === 'sequence_number' || /cache/.test(key);
    return isChance ? 0 : value;
  });
}

/** What a client makes of a stream. */
export const readingOf = (events: readonly Data[]) => withoutChance(joinedDeltas(events));

/** The numbers of events begin with 0 and have no gap. */
export function assertNumbered(events: readonly Data[]): void {
  assert.deepEqual(
    events.map((event) => event['sequence_number']),
    events.map((_, i) => i),
  );
}
