// The hash slots of Redis Cluster (cluster specification, "Key distribution model").

export const slotCount = 16_384;

/**
 * The slot of a key: of the part between the first `{` and the next `}`, if there is one, so that keys can share a slot.
 *
 * @param key In latin1.
 * @example slotOf('foo'); // 12182
 */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const [from, to] = close > open + 1 ? [open + 1, close] : [0, key.length];
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) ^ (table[((crc >> 8) ^ key.charCodeAt(i)) & 0xff] as number)) & 0xffff;
  }
  return crc % slotCount;
}

/** CRC16 with the polynomial 0x1021, as XMODEM has it. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});
