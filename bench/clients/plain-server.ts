// A server for clients under test that costs less than any of them: it answers each completion with the same tokens on a fixed
// beat, as an engine does with its steps, and measures its own time to first token. It parses no prompt.
//
//   node bench/clients/plain-server.ts PORT MODEL TOKENS FIRST_MS BEAT_MS
import { createServer, type Socket } from 'node:net';

const [port, model = 'model', tokens, firstMs, beatMs] = process.argv.slice(2);
const tokenCount = Number(tokens);
/** Beats from the arrival of a request to its first token, at least. */
const firstSeconds = Number(firstMs) / 1000;

interface Stream {
  readonly socket: Socket;
  readonly arrivedMs: number;
  readonly event: Buffer;
  readonly head: Buffer;
  sent: number;
}

const streams = new Set<Stream>();
let responses = 0;
/** Sum of the times from the last byte of a request to the first byte of its response. */
let firstSumSeconds = 0;

createServer({ noDelay: true }, serve).listen(Number(port), '127.0.0.1', 4096);
setInterval(beat, Number(beatMs));

function serve(socket: Socket): void {
  let text = '';
  /** Bytes of the current body that are yet to come. */
  let missing = 0;
  let head = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: Buffer) => {
    const skipped = Math.min(missing, part.length);
    missing -= skipped;
    if (head !== '' && missing === 0) finish();
    if (skipped === part.length) return;
    text += part.toString('latin1', skipped);
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      head = text.slice(0, end);
      const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      missing = Math.max(0, end + 4 + bodyBytes - text.length);
      text = text.slice(end + 4 + bodyBytes);
      if (missing > 0) return;
      finish();
    }
  });
  const finish = () => {
    answer(socket, head);
    head = '';
  };
}

function answer(socket: Socket, head: string): void {
  const path = head.split(' ', 2)[1] ?? '';
  if (path.startsWith('/v1/completions')) begin(socket);
  else if (path.startsWith('/metrics')) whole(socket, metrics());
  else if (path.startsWith('/v1/models')) {
    whole(socket, JSON.stringify({ object: 'list', data: [{ id: model, object: 'model' }] }));
  } else whole(socket, '{}');
}

function whole(socket: Socket, body: string): void {
  const length = Buffer.byteLength(body);
  socket.write(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
}

function metrics(): string {
  const line = (part: string, value: number) =>
    `vllm:time_to_first_token_seconds_${part}{model_name="${model}"} ${value}\n`;
  return line('sum', firstSumSeconds) + line('count', responses);
}

function begin(socket: Socket): void {
  const id = `cmpl-${responses++}-${Math.random().toString(36).slice(2)}`;
  const event = chunk(id, [{ index: 0, text: ' token', logprobs: null, finish_reason: null }]);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n`;
  const stream = {
    ...{ socket, arrivedMs: performance.now(), sent: 0 },
    event: Buffer.from(framed(event)),
    head: Buffer.from(head + framed(event)),
  };
  streams.add(stream);
  socket.once('close', () => streams.delete(stream));
}

function chunk(id: string, choices: readonly unknown[], usage: unknown = null): string {
  return `data: ${JSON.stringify({ id, object: 'text_completion', created: 1_750_000_000, model, choices, usage })}\n\n`;
}

function framed(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function beat(): void {
  for (const stream of streams) {
    const { socket, head, event, arrivedMs } = stream;
    if (stream.sent === 0) {
      const waitedSeconds = (performance.now() - arrivedMs) / 1000;
      if (waitedSeconds < firstSeconds) continue;
      firstSumSeconds += waitedSeconds;
    }
    const isFirst = stream.sent++ === 0;
    socket.write(isFirst ? head : event);
    if (stream.sent < tokenCount) continue;
    streams.delete(stream);
    socket.removeAllListeners('close');
    const usage = { prompt_tokens: 100, completion_tokens: tokenCount, total_tokens: 0 };
    const end = chunk('end', [], { ...usage, total_tokens: 100 + tokenCount });
    socket.write(`${framed(end)}${framed('data: [DONE]\n\n')}0\r\n\r\n`);
  }
}
