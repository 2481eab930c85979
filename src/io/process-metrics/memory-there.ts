import { totalmem } from 'node:os';

/** @returns Bytes: the limit of the container if it has one, else the memory of the machine. */
export function memoryThere(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}
