// Encodes the number of an event batch: 8 bytes, big-endian.

export function sequenceBytes(sequence: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(sequence / 0x1_0000_0000));
  view.setUint32(4, sequence);
  return bytes;
}

/** @param bytes Any length; batches have 8 bytes. */
export function readSequence(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}
