// Decodes export requests of OTLP, by the field numbers of opentelemetry-proto (trace/v1/trace.proto).

export interface ReceivedEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface ReceivedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly ReceivedEvent[];
  /** 0 unset, 2 error. */
  readonly status: number;
  readonly statusMessage: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

type Field = bigint | Buffer;
type Message = Map<number, Field[]>;

/** Fields of a message by number: varints and fixed numbers as integers, the rest as bytes. */
function fieldsOf(bytes: Buffer): Message {
  const fields: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError('A number is cut off');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const number = tag >> 3;
    let field: Field;
    if ((tag & 7) === 0) field = varint();
    else if ((tag & 7) === 1) {
      field = bytes.readBigUInt64LE(at);
      at += 8;
    } else if ((tag & 7) === 5) {
      field = BigInt(bytes.readUInt32LE(at));
      at += 4;
    } else {
      const length = Number(varint());
      if (at + length > bytes.length) throw new RangeError('A field is cut off');
      field = bytes.subarray(at, at + length);
      at += length;
    }
    const list = fields.get(number) ?? [];
    list.push(field);
    fields.set(number, list);
  }
  return fields;
}

const bytesAt = (message: Message, number: number): Buffer =>
  (message.get(number)?.[0] as Buffer | undefined) ?? Buffer.alloc(0);
const messagesAt = (message: Message, number: number): Message[] =>
  (message.get(number) ?? []).map((field) => fieldsOf(field as Buffer));
const numberAt = (message: Message, number: number): bigint =>
  (message.get(number)?.[0] as bigint | undefined) ?? 0n;
const msAt = (message: Message, number: number): number => Number(numberAt(message, number)) / 1e6;

function attributeValue(message: Message): unknown {
  const [number] = message.keys();
  const [field] = [...message.values()][0] ?? [];
  if (number === 1) return (field as Buffer).toString();
  if (number === 2) return field === 1n;
  if (number === 3) return Number(BigInt.asIntN(64, field as bigint));
  if (number === 4) {
    const double = Buffer.alloc(8);
    double.writeBigUInt64LE(field as bigint);
    return double.readDoubleLE();
  }
  if (number === 5) return messagesAt(fieldsOf(field as Buffer), 1).map(attributeValue);
  return undefined;
}

function attributesAt(message: Message, number: number): Record<string, unknown> {
  return Object.fromEntries(
    messagesAt(message, number).map((pair) => [
      bytesAt(pair, 1).toString(),
      attributeValue(fieldsOf(bytesAt(pair, 2))),
    ]),
  );
}

/** The spans of an `ExportTraceServiceRequest`. */
export function decodeExportRequest(body: Buffer): ReceivedSpan[] {
  return messagesAt(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const resource = attributesAt(fieldsOf(bytesAt(resourceSpans, 1)), 1);
    const spans = messagesAt(resourceSpans, 2).flatMap((scopeSpans) => messagesAt(scopeSpans, 2));
    return spans.map((span) => {
      const status = fieldsOf(bytesAt(span, 15));
      return {
        traceId: bytesAt(span, 1).toString('hex'),
        spanId: bytesAt(span, 2).toString('hex'),
        traceState: bytesAt(span, 3).toString(),
        parentSpanId: bytesAt(span, 4).toString('hex'),
        name: bytesAt(span, 5).toString(),
        kind: Number(numberAt(span, 6)),
        startMs: msAt(span, 7),
        endMs: msAt(span, 8),
        attributes: attributesAt(span, 9),
        events: messagesAt(span, 11).map((event) => ({
          name: bytesAt(event, 2).toString(),
          atMs: msAt(event, 1),
          attributes: attributesAt(event, 3),
        })),
        status: Number(numberAt(status, 3)),
        statusMessage: bytesAt(status, 2).toString(),
        resource,
      };
    });
  });
}
