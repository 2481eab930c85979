// Where the keys of each command stand, as COMMAND tells cluster clients.

/** Place of the first key after the name, from 1; of the last one, negative from the end; and the distance of two keys. */
type Positions = readonly [first: number, last: number, step: number];

const one: Positions = [1, 1, 1];
const all: Positions = [1, -1, 1];

const positions: Readonly<Record<string, Positions>> = {
  ...{
    GET: one,
    GETDEL: one,
    GETEX: one,
    GETRANGE: one,
    SUBSTR: one,
    STRLEN: one,
    TYPE: one,
    PERSIST: one,
  },
  ...{ SET: one, SETEX: one, PSETEX: one, SETNX: one, MSET: [1, -1, 2], MGET: all },
  ...{ EXISTS: all, TOUCH: all, DEL: all, UNLINK: all },
  ...{ TTL: one, PTTL: one, EXPIRETIME: one, PEXPIRETIME: one },
  WATCH: all,
  ...{ EXPIRE: one, PEXPIRE: one, EXPIREAT: one, PEXPIREAT: one },
};

export function keyPositions(name: string): Positions {
  return positions[name] ?? [0, 0, 0];
}

/** @param name In capitals. @param args Those after the name. */
export function keysOf(name: string, args: readonly string[]): readonly string[] {
  const [first, last, step] = keyPositions(name);
  if (first === 0) return [];
  const end = last < 0 ? args.length + last : last - 1;
  return args.filter((_, i) => i >= first - 1 && i <= end && (i - first + 1) % step === 0);
}
