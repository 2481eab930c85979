// The port-forward of an API server, as WebSocket with Kubernetes' channels: what arrives goes to a scripted pod.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface ScriptedPod {
  /** Paths of the connections that were asked for. */
  readonly paths: string[];
  /** Status that refuses connections. */
  refusal: number | undefined;
  /** Whether connections are accepted by the API server. */
  isSilent: boolean;
  /** Bytes that have arrived. */
  received: Buffer;
  /** Sends on a channel of the newest connection: 0 data, 1 errors. */
  send(channel: number, data: Buffer | string): void;
  /** Closes the newest connection, as the node does when the pod has. */
  end(): void;
  readonly url: string;
}

const acceptKey = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const binaryFrame = 0x82;
const closeFrame = 0x88;

export async function scriptedPod(t: TestContext, port = 8000): Promise<ScriptedPod> {
  let newest: Socket | undefined;
  const server = createServer();
  const sockets = new Set<Socket>();
  const pod: ScriptedPod = {
    ...{ paths: [], refusal: undefined, isSilent: false, received: Buffer.alloc(0) },
    send: (channel, data) => {
      newest?.write(frame(binaryFrame, Buffer.concat([Buffer.from([channel]), Buffer.from(data)])));
    },
    end: () => newest?.end(frame(closeFrame, Buffer.from([0x03, 0xe8]))),
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
  };
  server.on('upgrade', (request, socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    pod.paths.push(request.url ?? '');
    if (pod.isSilent) return;
    if (pod.refusal !== undefined) {
      socket.end(`HTTP/1.1 ${pod.refusal} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const key = request.headers['sec-websocket-key'];
    const accept = createHash('sha1').update(`${key}${acceptKey}`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n`,
    );
    newest = socket;
    // The kubelet begins both channels with the number of the port.
    const number = Buffer.from([port & 255, port >> 8]);
    pod.send(0, number);
    pod.send(1, number);
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let read = unframe(rest); read !== undefined; read = unframe(rest)) {
        rest = rest.subarray(read.length);
        if (read.code === (binaryFrame & 15) && read.payload[0] === 0) {
          pod.received = Buffer.concat([pod.received, read.payload.subarray(1)]);
        }
        if (read.code === (closeFrame & 15)) socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return pod;
}

function frame(code: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([code, length]), payload]);
  const head = Buffer.alloc(10);
  head[0] = code;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** The first frame of a client, whose payloads are masked; undefined if it is not complete. */
function unframe(bytes: Buffer) {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 127;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head + 4) return undefined;
  const size =
    short === 126
      ? bytes.readUInt16BE(2)
      : short === 127
        ? Number(bytes.readBigUInt64BE(2))
        : short;
  const length = head + 4 + size;
  if (bytes.length < length) return undefined;
  const payload = Buffer.from(bytes.subarray(head + 4, length));
  for (let index = 0; index < size; index++) {
    payload[index] = (payload[index] ?? 0) ^ (bytes[head + (index % 4)] ?? 0);
  }
  return { length, payload, code: (bytes[0] ?? 0) & 15 };
}
