// The name of an object holds all that the index needs, so that a listing is enough to find values.
import { createHash } from 'node:crypto';

/** Folder of all objects below the prefix; the number changes with what a name or a checksum means. */
export const objectFolder = 'v2/';
/** Longest name of an object in S3, in bytes. */
const nameBytesMax = 1024;
/** Checksum and time of expiry. */
const fixedBytes = 12;

/** What a name says. */
export interface NamedValue {
  readonly key: string;
  readonly label: Uint8Array | undefined;
  readonly checksum: number;
  readonly expiresUnixSeconds: number;
}

/**
 * Returns the name of a value's object: two digits that spread the load, the key, and checksum, time and label.
 *
 * @returns undefined if it would be too long.
 */
export function objectName(prefix: string, value: NamedValue): string | undefined {
  const key = Buffer.from(value.key, 'latin1');
  const about = Buffer.alloc(fixedBytes);
  about.writeUInt32LE(value.checksum, 0);
  about.writeDoubleLE(value.expiresUnixSeconds, 4);
  const all = value.label === undefined ? about : Buffer.concat([about, Buffer.of(1), value.label]);
  const digits = createHash('sha256').update(key).digest('hex').slice(0, 2);
  const name = `${prefix}${objectFolder}${digits}/${key.toString('base64url')}.${all.toString('base64url')}`;
  return Buffer.byteLength(name) > nameBytesMax ? undefined : name;
}

/** Reads what `objectName` wrote; undefined for another object. */
export function readObjectName(prefix: string, name: string): NamedValue | undefined {
  const match = /^v2\/[\da-f]{2}\/([\w-]*)\.([\w-]+)$/.exec(name.slice(prefix.length));
  if (match === null || !name.startsWith(prefix)) return undefined;
  const [key, about] = match.slice(1).map((text) => Buffer.from(text, 'base64url'));
  if (key === undefined || about === undefined || about.length < fixedBytes) return undefined;
  return {
    key: key.toString('latin1'),
    checksum: about.readUInt32LE(0),
    expiresUnixSeconds: about.readDoubleLE(4),
    label: about.length === fixedBytes ? undefined : new Uint8Array(about.subarray(fixedBytes + 1)),
  };
}
