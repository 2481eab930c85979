// Parses the arguments of the flags of `spillway simulate`.
import { InvalidArgumentError } from 'commander';
import type { EngineFailure } from '../../core/simulation/index.ts';
import type { OffloadChoice, Outage } from '../../tools/simulate-stack/index.ts';
import { durationIn } from '../arguments/quantities.ts';

export function toOffload(text: string): OffloadChoice {
  if (text === 'none') return { kind: 'none', hostBytes: 0 };
  const [, kind, gibibytes] = /^(native|lmcache)=([\d.]+)$/.exec(text) ?? [];
  const hostBytes = Number(gibibytes) * 2 ** 30;
  if ((kind === 'native' || kind === 'lmcache') && hostBytes > 0) return { kind, hostBytes };
  throw new InvalidArgumentError('Give none, native=GIB or lmcache=GIB, such as native=100.');
}

export function toOutage(text: string): Outage {
  const [, from = '', long] = /^([\d.]+\w*)(?:\+([\d.]+\w*))?$/.exec(text) ?? [];
  const fromSeconds = durationIn(from, 's');
  const seconds = long === undefined ? Number.POSITIVE_INFINITY : durationIn(long, 's');
  if (Number.isNaN(fromSeconds) || !(seconds > 0)) {
    throw new InvalidArgumentError('Give SECONDS or SECONDS+SECONDS, such as 60+30 or 5m+30s.');
  }
  return { fromSeconds, untilSeconds: fromSeconds + seconds };
}

export function toFailure(text: string): EngineFailure {
  const [, engine, at = '', long] = /^(\d+)@([\d.]+\w*)(?:\+([\d.]+\w*))?$/.exec(text) ?? [];
  const atSeconds = durationIn(at, 's');
  const seconds = long === undefined ? Number.POSITIVE_INFINITY : durationIn(long, 's');
  if (engine === undefined || Number.isNaN(atSeconds) || !(seconds > 0)) {
    throw new InvalidArgumentError(
      'Give ENGINE@SECONDS or ENGINE@SECONDS+SECONDS, such as 0@60+30 or 0@5m+30s.',
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

/** Like `toCapacities`, with 0 for no tier. */
export function toTierCapacities(text: string): number[] {
  return text.split(',').flatMap((part) => (part.trim() === '0' ? [0] : toCapacities(part)));
}
