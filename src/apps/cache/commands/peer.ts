// Commands between cache servers that share keys; clients have no use for them.
import type { ValueWriter } from '../../../core/cache/index.ts';
import { bulk, errorReply, integerReply, nullReply, ok } from '../../../core/resp/index.ts';
import { any, type RespCall, type RespCommand } from './call.ts';

/** A value without a label, and one that never expires. */
const none = '-';

export const peerCommands: Readonly<Record<string, RespCommand>> = {
  /** From now on the connection is another server's. */
  'PEER.HELLO': {
    min: 0,
    max: 0,
    run(call) {
      call.isPeer = true;
      return ok;
    },
  },
  /** Seconds until it expires, checksum and label of a value, as PEER.SET takes them. */
  'PEER.INFO': {
    min: 1,
    max: 1,
    run({ store, version }, [key = '']) {
      const value = store.peek(key);
      if (value === undefined) return nullReply(version);
      value.release();
      return bulk(infoOf(store.ttlSeconds(key), value).join(' '));
    },
  },
  /** PEER.SET key seconds checksum label value */
  'PEER.SET': {
    min: 5,
    max: 5,
    run(call, [key = '', seconds = none, checksum = '', label = none, value = ''], streamed) {
      const writer = streamed?.writer ?? call.store.receiveCopy(key, value.length, labelIn(label));
      if (streamed === undefined) writer.write(Buffer.from(value, 'latin1'));
      if (String(writer.checksum) !== checksum && !writer.isDropped) {
        writer.abort();
        return errorReply('ERR the bytes do not match their checksum');
      }
      writer.commit(seconds === none ? any : Number(seconds));
      return ok;
    },
  },
  'PEER.DEL': {
    min: 1,
    max: any,
    run: ({ store }, keys) => integerReply(keys.filter((key) => store.delete(key)).length),
  },
  'PEER.FLUSH': {
    min: 0,
    max: 0,
    run({ store }) {
      store.clear();
      return ok;
    },
  },
};

/** What PEER.SET has between the key and the value. */
export function infoOf(
  ttlSeconds: number | undefined,
  { checksum, label }: { readonly checksum: number; readonly label: Uint8Array | undefined },
): readonly string[] {
  const seconds =
    ttlSeconds === undefined || ttlSeconds === any ? none : String(Math.max(0.001, ttlSeconds));
  return [
    seconds,
    String(checksum),
    label === undefined ? none : Buffer.from(label).toString('hex'),
  ];
}

/** The reverse of `infoOf`; undefined for text that is none. */
export function readInfo(text: string) {
  const [seconds = '', checksum = '', label = ''] = text.split(' ');
  if (!/^(?:-|\d+(?:\.\d+)?)$/.test(seconds) || !/^\d+$/.test(checksum)) return undefined;
  return {
    ttlSeconds: seconds === none ? any : Number(seconds),
    checksum: Number(checksum),
    label: labelIn(label),
  };
}

/** Begins to receive a streamed value. */
export function receiveFor(
  { store }: RespCall,
  name: string,
  args: readonly string[],
  size: number,
): ValueWriter {
  const key = args[1] as string;
  if (name !== 'PEER.SET') return store.receive(key, size);
  return store.receiveCopy(key, size, labelIn(args[4] ?? none));
}

function labelIn(text: string): Uint8Array | undefined {
  return /^(?:[\da-f]{2}){1,64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}
