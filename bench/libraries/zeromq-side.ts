// One end of a ZeroMQ connection in a separate process, with our code or zeromq's. Reads its role
// as JSON from its arguments and prints JSON lines: when it is ready, and the cost of the load.
//
//   node bench/libraries/zeromq-side.ts '{"role":"publisher","library":"ours",…}'
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PublisherSocket, SubscriberSocket } from '../../src/io/zmq/index.ts';

export interface Side {
  readonly role: 'publisher' | 'subscriber';
  readonly library: 'ours' | 'zeromq';
  /** Folder where zeromq is installed. */
  readonly folder: string;
  readonly endpoint: string;
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly payloadBytes: number;
}

/** The part of zeromq that is used. */
interface Zeromq {
  readonly Publisher: new () => {
    sendHighWaterMark: number;
    bind(endpoint: string): Promise<void>;
    send(frames: readonly Uint8Array[]): Promise<void>;
  };
  readonly Subscriber: new () => AsyncIterable<readonly Uint8Array[]> & {
    receiveHighWaterMark: number;
    connect(endpoint: string): void;
    subscribe(topic: string): void;
  };
}

/** Messages sent before the measurement, so that the connection is open and the code is compiled. */
const warmupSeconds = 1;
const tickMs = 10;

const side = JSON.parse(process.argv[2] ?? '{}') as Side;
const warmupMessages = side.messagesPerSecond * warmupSeconds;
const load = createRequire(join(side.folder, 'index.js'));
if (side.role === 'publisher') await publish();
else await subscribe();

async function publish(): Promise<void> {
  const send = await publisher();
  const topic = new TextEncoder().encode('kv-events');
  const payload = new Uint8Array(side.payloadBytes).map((_, i) => i * 7);
  const sequence = new Uint8Array(8);
  const view = new DataView(sequence.buffer);
  let next = 0;
  const sendPaced = async (count: number) => {
    const start = performance.now();
    for (let sent = 0; sent < count; ) {
      const due = Math.min(
        count,
        Math.ceil(((performance.now() - start) / 1000) * side.messagesPerSecond),
      );
      for (; sent < due; sent++) {
        view.setBigUint64(0, BigInt(next++));
        await send([topic, sequence.slice(), payload]);
      }
      await sleep(tickMs);
    }
  };
  console.log(JSON.stringify({ ready: true }));
  // Starts on command, because messages sent before a subscriber is connected are lost.
  await once(process.stdin, 'data');
  await sendPaced(warmupMessages);
  const before = process.cpuUsage();
  await sendPaced(side.messages);
  console.log(JSON.stringify({ micros: microsSince(before) / side.messages }));
  await sleep(60_000);
}

async function publisher(): Promise<(frames: Uint8Array[]) => unknown> {
  if (side.library === 'ours') {
    const socket = await PublisherSocket.open({ endpoint: side.endpoint, highWaterMark: 0 });
    return (frames) => socket.send(frames);
  }
  const { Publisher } = load('zeromq') as Zeromq;
  const socket = new Publisher();
  socket.sendHighWaterMark = 0;
  await socket.bind(side.endpoint);
  return (frames) => socket.send(frames);
}

async function subscribe(): Promise<void> {
  let received = 0;
  let before = process.cpuUsage();
  const onMessage = (frames: readonly Uint8Array[]): void => {
    const [, sequence] = frames as readonly [Uint8Array, Uint8Array];
    const number = Number(new DataView(sequence.buffer, sequence.byteOffset).getBigUint64(0));
    if (number < warmupMessages) {
      before = process.cpuUsage();
      return;
    }
    if (++received === side.messages) {
      console.log(JSON.stringify({ micros: microsSince(before) / side.messages }));
    }
  };
  if (side.library === 'ours') {
    const onConnected = () => console.log(JSON.stringify({ ready: true }));
    new SubscriberSocket({ endpoint: side.endpoint, onMessage, onConnected });
    await sleep(120_000);
    return;
  }
  const { Subscriber } = load('zeromq') as Zeromq;
  const socket = new Subscriber();
  socket.receiveHighWaterMark = 0;
  socket.connect(side.endpoint);
  socket.subscribe('');
  console.log(JSON.stringify({ ready: true }));
  for await (const frames of socket) onMessage(frames);
}

/** CPU time of all threads, because zeromq has a separate one for input and output. */
function microsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
