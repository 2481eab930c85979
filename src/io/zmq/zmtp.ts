// Encodes and decodes ZMTP 3.0 with the NULL mechanism: greeting, frames, READY.
// https://rfc.zeromq.org/spec/23/
import { ZmtpError } from './errors.ts';

export type ZmtpSocketType =
  | 'PUB'
  | 'SUB'
  | 'XPUB'
  | 'XSUB'
  | 'ROUTER'
  | 'DEALER'
  | 'REQ'
  | 'REP'
  | 'PUSH'
  | 'PULL';

const flagMore = 1;
const flagLong = 2;
const flagCommand = 4;

export const greetingBytes = 64;

/** The greeting: signature, version 3.0, mechanism NULL, the same for client and server, filler. */
export function encodeGreeting(): Uint8Array {
  const greeting = new Uint8Array(greetingBytes);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  greeting.set(ascii('NULL'), 12);
  return greeting;
}

/** @throws {ZmtpError} If the peer speaks another protocol, an older ZMTP, or wants security. */
export function checkGreeting(greeting: Uint8Array): void {
  if (greeting[0] !== 0xff || ((greeting[9] as number) & 1) !== 1) {
    throw new ZmtpError('The peer does not speak ZeroMQ (no ZMTP signature).');
  }
  const major = greeting[10] as number;
  if (major < 3) throw new ZmtpError(`The peer speaks ZMTP ${major}; 3 or later is needed.`);
  const mechanism = text(greeting.subarray(12, 32)).replace(/\0+$/, '');
  if (mechanism !== 'NULL') {
    throw new ZmtpError(`The peer asks for ZMTP security "${mechanism}"; only NULL is supported.`);
  }
}

/** Encodes one message of one or more frames into one buffer. */
export function encodeMessage(frames: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const frame of frames) size += frame.length + (frame.length > 255 ? 9 : 2);
  const bytes = new Uint8Array(size);
  let at = 0;
  frames.forEach((frame, i) => {
    at = putFrame(bytes, at, i < frames.length - 1 ? flagMore : 0, frame);
  });
  return bytes;
}

/** Encodes READY with our socket type, and an empty identity where the type has one. */
export function encodeReady(socketType: ZmtpSocketType): Uint8Array {
  const properties = [['Socket-Type', socketType]];
  if (socketType === 'ROUTER' || socketType === 'DEALER') properties.push(['Identity', '']);
  const body = [...ascii('\x05READY')];
  for (const [name = '', value = ''] of properties) {
    body.push(name.length, ...ascii(name), 0, 0, 0, value.length, ...ascii(value));
  }
  return encodeCommand(Uint8Array.from(body));
}

/** Encodes the reply to a PING, with its context. */
export function encodePong(context: Uint8Array): Uint8Array {
  return encodeCommand(Uint8Array.from([...ascii('\x04PONG'), ...context]));
}

/** The name of a command, and the data after it. */
export interface ZmtpCommand {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Maximum size of a command: commands are a name and a few properties. */
const commandBytesMax = 4096;

/** @throws {ZmtpError} If the command is too long or its name does not fit. */
export function parseCommand(body: Uint8Array): ZmtpCommand {
  if (body.length > commandBytesMax) throw new ZmtpError('A ZMTP command is too long.');
  const length = body[0] ?? 0;
  if (length === 0 || length >= body.length) throw new ZmtpError('A ZMTP command has no name.');
  return { name: text(body.subarray(1, 1 + length)), data: body.subarray(1 + length) };
}

/**
 * Parses the properties of a READY. Names are in lower case, because they compare without case.
 *
 * @throws {ZmtpError} If a length does not fit.
 */
export function parseMetadata(data: Uint8Array): ReadonlyMap<string, string> {
  const properties = new Map<string, string>();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 0;
  while (at < data.length) {
    const nameEnd = at + 1 + (data[at] as number);
    if (nameEnd + 4 > data.length) throw new ZmtpError('The metadata of a READY is cut short.');
    const valueEnd = nameEnd + 4 + view.getUint32(nameEnd);
    if (valueEnd > data.length) throw new ZmtpError('The metadata of a READY is cut short.');
    const name = text(data.subarray(at + 1, nameEnd)).toLowerCase();
    properties.set(name, text(data.subarray(nameEnd + 4, valueEnd)));
    at = valueEnd;
  }
  return properties;
}

/** From this number of waiting pieces on, small ones are copied together. */
const piecesMax = 64;
const gatheredBytes = 16_384;

/** Splits a byte stream into frames. A frame that arrives byte by byte costs memory for its bytes, not for its pieces. */
export class FrameDecoder {
  readonly #frameBytesMax: number;
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were taken. */
  #taken = 0;
  #buffered = 0;
  /** Small pieces copied together, and the part of it in use, which is the last chunk while it grows. */
  #gathered = new Uint8Array(0);
  #gatheredView = this.#gathered;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  push(chunk: Uint8Array): void {
    this.#buffered += chunk.length;
    if (this.#chunks.length < piecesMax || chunk.length > gatheredBytes) this.#chunks.push(chunk);
    else this.#gather(chunk);
  }

  #gather(piece: Uint8Array): void {
    const isLast = this.#chunks.at(-1) === this.#gatheredView;
    let used = this.#gatheredView.length;
    if (isLast && used + piece.length <= this.#gathered.length) this.#chunks.pop();
    else {
      this.#gathered = new Uint8Array(gatheredBytes);
      used = 0;
    }
    this.#gathered.set(piece, used);
    this.#gatheredView = this.#gathered.subarray(0, used + piece.length);
    this.#chunks.push(this.#gatheredView);
  }

  /** Returns the next `count` bytes, or undefined until they have arrived. */
  take(count: number): Uint8Array | undefined {
    if (this.#buffered < count) return undefined;
    const at = this.#contiguous(count);
    const bytes = (this.#chunks[0] as Uint8Array).subarray(at, at + count);
    this.#drop(count);
    return bytes;
  }

  /**
   * Returns the next frame, or undefined until it has arrived completely. Its body lies in the
   * received chunk: copy it to keep it.
   *
   * @throws {ZmtpError} If the frame is longer than allowed, or its flags are reserved.
   */
  next(): { more: boolean; command: boolean; body: Uint8Array } | undefined {
    if (this.#buffered < 2) return undefined;
    const flags = this.#chunks[0]?.[this.#taken] ?? 0;
    if ((flags & ~(flagMore | flagLong | flagCommand)) !== 0) {
      throw new ZmtpError(`A ZMTP frame has unknown flags (0x${flags.toString(16)}).`);
    }
    const headBytes = flags & flagLong ? 9 : 2;
    if (this.#buffered < headBytes) return undefined;
    const head = this.#contiguous(headBytes);
    const size = this.#sizeAt(head + 1, headBytes - 1);
    if (size > this.#frameBytesMax) {
      throw new ZmtpError(
        `A ZMTP frame of ${size} bytes exceeds the limit of ${this.#frameBytesMax}.`,
      );
    }
    if (this.#buffered < headBytes + size) return undefined;
    const at = this.#contiguous(headBytes + size) + headBytes;
    const body = (this.#chunks[0] as Uint8Array).subarray(at, at + size);
    this.#drop(headBytes + size);
    return {
      more: (flags & flagMore) !== 0,
      command: (flags & flagCommand) !== 0,
      body,
    };
  }

  /** A big-endian integer of the first chunk; larger than any bound if it is no safe integer. */
  #sizeAt(at: number, bytes: number): number {
    const chunk = this.#chunks[0] as Uint8Array;
    let size = 0;
    for (let i = at; i < at + bytes; i++) size = size * 256 + (chunk[i] as number);
    return size;
  }

  /**
   * Joins chunks if the next `count` bytes span several.
   *
   * @returns Where they begin in the first chunk.
   */
  #contiguous(count: number): number {
    const first = this.#chunks[0] as Uint8Array;
    if (first.length - this.#taken >= count) return this.#taken;
    const joined = new Uint8Array(this.#buffered);
    let at = 0;
    for (const chunk of this.#chunks) {
      const rest = at === 0 ? chunk.subarray(this.#taken) : chunk;
      joined.set(rest, at);
      at += rest.length;
    }
    this.#chunks = [joined];
    this.#taken = 0;
    return 0;
  }

  #drop(count: number): void {
    this.#buffered -= count;
    this.#taken += count;
    if (this.#taken < (this.#chunks[0] as Uint8Array).length) return;
    this.#chunks.shift();
    this.#taken = 0;
  }
}

function encodeCommand(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(body.length + (body.length > 255 ? 9 : 2));
  putFrame(bytes, 0, flagCommand, body);
  return bytes;
}

function putFrame(bytes: Uint8Array, from: number, flags: number, body: Uint8Array): number {
  let at = from;
  if (body.length > 255) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    bytes[at] = flags | flagLong;
    view.setUint32(at + 1, Math.floor(body.length / 0x1_0000_0000));
    view.setUint32(at + 5, body.length);
    at += 9;
  } else {
    bytes[at] = flags;
    bytes[at + 1] = body.length;
    at += 2;
  }
  bytes.set(body, at);
  return at + body.length;
}

function ascii(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
