// Ids and numbers of a streamed response of the Responses API: events of another engine get those of the first one.

type Json = Readonly<Record<string, unknown>>;

/** What an item of the output is called. */
interface ItemIds {
  readonly id: unknown;
  readonly callId: unknown;
}

/** The first item and its first part as they were added, without text. */
export interface ItemOpening {
  item: Json | undefined;
  part: Json | undefined;
}

export class ResponseIds {
  readonly opening: ItemOpening = { item: undefined, part: undefined };
  #response: { readonly id: unknown; readonly createdAt: unknown } | undefined = undefined;
  /** By index of the output; as many as the client has. */
  readonly #items: ItemIds[] = [];
  /** Number of the last event. */
  #number = -1;

  /** Undefined until the response has begun. */
  get responseId(): string | undefined {
    const id = this.#response?.id;
    return typeof id === 'string' ? id : undefined;
  }

  /** Number of the event that follows. */
  get nextNumber(): number {
    return this.#number + 1;
  }

  /** Keeps the ids of an event of the first engine. */
  read(data: Json): void {
    const { response, item, output_index: index, sequence_number: number } = data;
    this.#keepOpening(data);
    if (typeof number === 'number') this.#number = number;
    if (isObject(response)) {
      this.#response ??= { id: response['id'], createdAt: response['created_at'] };
    }
    if (isObject(item) && typeof index === 'number') {
      this.#items[index] ??= { id: item['id'], callId: item['call_id'] };
    }
  }

  /** The event of another engine as the client gets it. */
  rewritten(data: Json): Json {
    const changed: Record<string, unknown> = { ...data };
    const { response, item, output_index: index } = data;
    if (typeof data['sequence_number'] === 'number') changed['sequence_number'] = ++this.#number;
    if (isObject(response)) changed['response'] = this.#responseOf(response);
    if (typeof index !== 'number') return changed;
    if (isObject(item)) {
      this.#items[index] ??= { id: item['id'], callId: item['call_id'] };
      changed['item'] = this.#itemOf(item, index);
    }
    const known = this.#items[index];
    if (known !== undefined && 'item_id' in data) changed['item_id'] = known.id;
    this.#keepOpening(changed);
    return changed;
  }

  #keepOpening({ type, item, part, output_index: index }: Json): void {
    if (index !== 0 || !String(type).endsWith('.added')) return;
    if (isObject(item)) this.opening.item ??= item;
    if (isObject(part)) this.opening.part ??= part;
  }

  #responseOf(response: Json): Json {
    const { output } = response;
    this.#response ??= { id: response['id'], createdAt: response['created_at'] };
    return {
      ...response,
      id: this.#response.id,
      created_at: this.#response.createdAt,
      ...(Array.isArray(output) && {
        output: output.map((item: unknown, i) => (isObject(item) ? this.#itemOf(item, i) : item)),
      }),
    };
  }

  #itemOf(item: Json, index: number): Json {
    const known = this.#items[index];
    if (known === undefined) return item;
    return { ...item, id: known.id, ...('call_id' in item && { call_id: known.callId }) };
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
