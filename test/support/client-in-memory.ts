// A client without a socket: its request, what it has received, and how it behaves, as a test tells it.
import {
  type ExchangeListener,
  Headers,
  headerKinds,
  type RequestHead,
  type ServerExchange,
} from '../../src/io/http/index.ts';

/** A client that has sent a request. */
export class Client {
  readonly head: RequestHead;
  readonly body: Buffer;
  target: string;
  headerLines = '';
  overLimit = false;
  readonly clientAddress = '10.0.0.1';
  listener: ExchangeListener | undefined;
  received = '';
  begun = false;
  over = false;
  congested = false;
  unsentBytes = 0;
  isCut = false;
  /** Whether bytes that are written must stay as they are for a while. */
  keepsBytes = false;
  writes = 0;
  isLast = false;

  constructor(
    lines: Readonly<Record<string, string>> = {},
    options: {
      readonly method?: string;
      readonly target?: string;
      readonly body?: string;
      readonly minorVersion?: 0 | 1;
    } = {},
  ) {
    const { method = 'POST', target = '/v1/chat/completions', body = '' } = options;
    this.body = Buffer.from(body);
    this.head = {
      ...{ method, target, minorVersion: options.minorVersion ?? 1, headers: headersOf(lines) },
      ...{ contentLength: this.body.length, expectsContinue: false, keepAlive: true, headBytes: 0 },
    };
    this.target = target;
  }

  get exchange(): ServerExchange {
    return this as unknown as ServerExchange;
  }

  get lastLines(): string {
    return this.headerLines;
  }

  begin(head: string, bytes?: Buffer): void {
    this.begun = true;
    this.received += head + String(bytes ?? '');
  }

  write(bytes: Buffer): boolean {
    this.received += String(bytes);
    this.writes += 1;
    return this.keepsBytes;
  }

  closeAfterwards(): void {
    this.isLast = true;
  }

  end(): void {
    this.over = true;
  }

  destroy(): void {
    this.isCut = true;
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1]);
  }

  /** The value of a header of the response. */
  header(name: string): string | undefined {
    const [head = ''] = this.received.split('\r\n\r\n');
    const line = head.split('\r\n').find((one) => one.toLowerCase().startsWith(`${name}: `));
    return line?.slice(name.length + 2);
  }

  get text(): string {
    return this.received.slice(this.received.indexOf('\r\n\r\n') + 4);
  }

  get json(): unknown {
    return JSON.parse(this.text);
  }

  get error(): Readonly<Record<string, unknown>> {
    return JSON.parse(this.text).error;
  }
}

export function headersOf(lines: Readonly<Record<string, string>>): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(lines)) {
    headers.names.push(name);
    headers.values.push(value);
    headers.kinds.push(headerKinds.endToEnd);
  }
  return headers;
}
