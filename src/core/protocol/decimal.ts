// Numbers in text that is read as bytes, without a string for each: a router reads thousands per second.

/** Of digits that a double holds exactly, whatever they are. */
const exactDigitsMax = 15;
/** Powers of ten that a double holds exactly; what is divided by one of them is rounded once, as `Number` does. */
const powersOfTen = Float64Array.from({ length: 16 }, (_, power) => 10 ** power);
const zero = 48;
const point = 46;

/**
 * The number that is written in bytes: the same as `Number` of their text.
 *
 * @returns NaN if they are not a number, or empty.
 * @example decimalAt(new TextEncoder().encode('x 12.5'), 2, 6); // 12.5
 */
export function decimalAt(bytes: Uint8Array, start: number, end: number): number {
  let digits = 0;
  let mantissa = 0;
  let pointAt = end;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    const digit = byte - zero;
    if (digit >= 0 && digit <= 9 && digits < exactDigitsMax) {
      mantissa = mantissa * 10 + digit;
      digits++;
    } else if (byte === point && pointAt === end) pointAt = at;
    else return numberOf(bytes, start, end);
  }
  if (digits === 0) return Number.NaN;
  return pointAt === end ? mantissa : mantissa / (powersOfTen[end - pointAt - 1] as number);
}

/** Signs, exponents, infinities, and more digits. */
function numberOf(bytes: Uint8Array, start: number, end: number): number {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text === '' ? Number.NaN : Number(text);
}
