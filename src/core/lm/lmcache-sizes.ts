// Sizes of LMCache's tiers, which are in GB, and which people give in MB or bytes.

/** Sizes in GB that no machine with GPUs has; LMCache would fail to allocate them. */
const gigabytesMax = { memory: 8_191, disk: 4_194_304 } as const;
/** From this number on, a size was meant in bytes, else in MB. */
const bytesMin = 2 ** 25;
const gibibyte = 2 ** 30;

/**
 * Says why a size cannot be meant.
 *
 * @param size In GB, as LMCache reads it.
 * @returns A clause without its full stop; undefined if a machine may have it.
 * @example sizeFault(20_480, 'memory'); // 'it is in GB: 20,480 GB are more than a machine has. For MB, write 20'
 */
export function sizeFault(size: number, kind: keyof typeof gigabytesMax): string | undefined {
  if (!(size > gigabytesMax[kind])) return undefined;
  const isBytes = size >= bytesMin;
  return `it is in GB: ${size.toLocaleString('en')} GB are more than a machine has. For ${isBytes ? 'that many bytes' : 'MB'}, write ${rounded(size / (isBytes ? gibibyte : 1024))}`;
}

function rounded(size: number): string {
  return String(Number(size.toPrecision(4)));
}
