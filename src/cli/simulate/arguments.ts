// What the flags of `spillway simulate` say, read from their texts.
import { InvalidArgumentError } from 'commander';
import type { EngineFailure } from '../../core/simulation/index.ts';
import type { OffloadChoice, Outage } from '../../tools/simulate-stack/index.ts';

export function toOffload(text: string): OffloadChoice {
  if (text === 'none') return { kind: 'none', hostBytes: 0 };
  const [, kind, gibibytes] = /^(native|lmcache)=([\d.]+)$/.exec(text) ?? [];
  const hostBytes = Number(gibibytes) * 2 ** 30;
  if ((kind === 'native' || kind === 'lmcache') && hostBytes > 0) return { kind, hostBytes };
  throw new InvalidArgumentError('Give none, native=GIB or lmcache=GIB, such as native=100.');
}

export function toOutage(text: string): Outage {
  const [, from, long] = /^([\d.]+)(?:\+([\d.]+))?$/.exec(text) ?? [];
  const fromSeconds = Number(from);
  const seconds = long === undefined ? Number.POSITIVE_INFINITY : Number(long);
  if (Number.isNaN(fromSeconds) || !(seconds > 0)) {
    throw new InvalidArgumentError('Give SECONDS or SECONDS+SECONDS, such as 60+30.');
  }
  return { fromSeconds, untilSeconds: fromSeconds + seconds };
}

export function toFailure(text: string): EngineFailure {
  const [, engine, at, long] = /^(\d+)@([\d.]+)(?:\+([\d.]+))?$/.exec(text) ?? [];
  const atSeconds = Number(at);
  const seconds = long === undefined ? Number.POSITIVE_INFINITY : Number(long);
  if (engine === undefined || Number.isNaN(atSeconds) || !(seconds > 0)) {
    throw new InvalidArgumentError(
      'Give ENGINE@SECONDS or ENGINE@SECONDS+SECONDS, such as 0@60+30.',
    );
  }
  return { engine: Number(engine), atSeconds, seconds };
}

export function toCapacities(text: string): number[] {
  return text.split(',').map((part) => {
    if (part.trim().toLowerCase() === 'inf') return Number.POSITIVE_INFINITY;
    const blocks = Number(part);
    if (Number.isSafeInteger(blocks) && blocks >= 1) return blocks;
    throw new InvalidArgumentError(
      'Give whole numbers of at least 1, or inf, with commas: 500,1000,inf.',
    );
  });
}

/** As `toCapacities`, and 0 for no tier. */
export function toTierCapacities(text: string): number[] {
  return text.split(',').flatMap((part) => (part.trim() === '0' ? [0] : toCapacities(part)));
}

export function toPercentiles(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!(value > 0 && value < 100)) {
      throw new InvalidArgumentError(
        'It must be a list of numbers between 0 and 100, e.g. 50,90,99.',
      );
    }
    return value;
  });
}
