// Commands between cache servers that share keys; clients have no use for them.
import type { ValueWriter } from '../../../core/cache/index.ts';
import { bulk, errorReply, integerReply, nullReply, ok } from '../../../core/resp/index.ts';
import { defaultUser } from '../users.ts';
import { any, type RespCall, type RespCommand } from './call.ts';

/** A value without a label, and one that never expires. */
const none = '-';
const notAllowed = 'NOPERM this command is for other cache servers';

export const peerCommands: Readonly<Record<string, RespCommand>> = {
  /** PEER.HELLO [key]: from now on the connection is another server's. */
  'PEER.HELLO': {
    min: 0,
    max: 1,
    run(call, [key]) {
      if (call.user !== defaultUser || !call.isAdmittedPeer(key)) return errorReply(notAllowed);
      call.isPeer = true;
      call.store = call.whole;
      return ok;
    },
  },
  /** Seconds until it expires, checksum and label of a value, as PEER.SET takes them. */
  'PEER.INFO': {
    min: 1,
    max: 1,
    run({ isPeer, whole, version }, [key = '']) {
      if (!isPeer) return errorReply(notAllowed);
      const value = whole.peek(key);
      if (value === undefined) return nullReply(version);
      value.release();
      return bulk(infoOf(whole.ttlSeconds(key), value).join(' '));
    },
  },
  /** PEER.SET key seconds checksum label value */
  'PEER.SET': {
    min: 5,
    max: 5,
    run(
      { isPeer, whole },
      [key = '', seconds = none, checksum = '', label = none, value = ''],
      streamed,
    ) {
      if (!isPeer) return errorReply(notAllowed);
      const writer = streamed?.writer ?? whole.receiveCopy(key, value.length, labelIn(label));
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
    run({ isPeer, whole }, keys) {
      if (!isPeer) return errorReply(notAllowed);
      return integerReply(keys.filter((key) => whole.delete(key)).length);
    },
  },
  /** All values, or those of one key space; its name may be empty. */
  'PEER.FLUSH': {
    min: 0,
    max: 1,
    run({ isPeer, whole }, [space]) {
      if (!isPeer) return errorReply(notAllowed);
      whole.clear(space);
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

/** Begins to receive a streamed value; undefined if the client may not store it. */
export function receiveFor(
  { store, whole, isPeer }: RespCall,
  name: string,
  args: readonly string[],
  size: number,
): ValueWriter | undefined {
  const key = args[1] as string;
  if (name !== 'PEER.SET') return store.receive(key, size);
  return isPeer ? whole.receiveCopy(key, size, labelIn(args[4] ?? none)) : undefined;
}

function labelIn(text: string): Uint8Array | undefined {
  return /^(?:[\da-f]{2}){1,64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}
