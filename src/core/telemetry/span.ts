// Spans: what a process tells of its part in a trace. They are plain data, made when a trace is kept.

/** Values that OTLP has; a list holds texts. */
export type AttributeValue = string | number | boolean | readonly string[];

/** Attributes without a value are left out. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface SpanEvent {
  readonly name: string;
  /** Unix time, with fractions. */
  readonly atMs: number;
  readonly attributes: Attributes;
  /** See `Span.shared`. */
  readonly shared?: readonly Attributes[];
}

export interface Span {
  readonly name: string;
  /** `server`: a request that this process answers. `client`: one that it makes. */
  readonly kind: 'server' | 'client' | 'internal';
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first span of its trace. */
  readonly parentSpanId: string | undefined;
  /** Whether the parent belongs to another process. */
  readonly isParentRemote: boolean;
  readonly traceState: string | undefined;
  /** Unix time, with fractions. */
  readonly startMs: number;
  /** Not before `startMs`. */
  readonly endMs: number;
  readonly attributes: Attributes;
  /** Further attributes, which many spans have. They are the same objects each time, so that each is encoded only once. */
  readonly shared?: readonly Attributes[];
  readonly events: readonly SpanEvent[];
  /** Why it failed; undefined if it did not. */
  readonly error: string | undefined;
}

/** Makes ids that no other trace or span has. */
export interface IdSource {
  /** 32 lower-case hexadecimal digits, not all 0. */
  traceId(): string;
  /** 16 lower-case hexadecimal digits, not all 0. */
  spanId(): string;
}

/**
 * Takes ids from random digits.
 *
 * @param digits Returns so many random lower-case hexadecimal digits.
 */
export function randomIds(digits: (count: number) => string): IdSource {
  const nonZero = (count: number): string => {
    for (;;) {
      const id = digits(count);
      if (!isZero(id)) return id;
    }
  };
  return { traceId: () => nonZero(32), spanId: () => nonZero(16) };
}

/** Whether all digits are 0, as no id may be. */
export function isZero(digits: string): boolean {
  for (let i = 0; i < digits.length; i++) if (digits.charCodeAt(i) !== 0x30) return false;
  return true;
}
