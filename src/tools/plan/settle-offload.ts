// Settles the offload of a plan: the rules name a tier, the simulated fleets and measurements on real GPUs say whether it pays.
import {
  breakEvenSets,
  type Decision,
  measuredOffload,
  modelledOffload,
  type OffloadKind,
} from '../../core/plan/index.ts';
import { milliseconds, number, roundChange, roundPercent } from '../report/index.ts';
import { range } from './figures.ts';
import type { Gain } from './scenario.ts';

/** The offload of a plan, which its page and its values file have. */
export interface SettledOffload {
  readonly kvOffload: OffloadKind;
  /** Reason, without a full stop. */
  readonly because: string;
  /** What rules and simulation say where they disagree, and what decides; without a full stop. */
  readonly disagreement: string | undefined;
}

/** Means of the runs of one layout. */
export interface OffloadRun {
  /** Output tokens per second. */
  readonly throughput: number;
  readonly ttftMs: number;
  readonly hitRate: number;
}

export interface OffloadFigures {
  /** Gains of the tiers over no offload. */
  readonly gains: { readonly native: Gain; readonly lmcache: Gain };
  /** Gain of native offload over LMCache. */
  readonly nativeOverLmcache: Gain;
  readonly runs: Readonly<Record<OffloadKind, OffloadRun>>;
  /** Host memory for KV per engine of a tier, GiB. */
  readonly offloadGiB: number;
  /** Working set over the KV cache in HBM. */
  readonly workingSet: number;
  /** Share of the working set that fits in the host memory of all engines. */
  readonly hostShareOfSet: number;
  readonly sharesPrefixes: boolean;
}

/** Smaller gains count as none. */
const gainMin = 0.01;
/** A TTFT that is shorter by this share counts as a gain on its own. */
const ttftGainMin = 0.1;
/** Least increase of the hit rate that counts as an effect of a tier. */
const hitGainMin = 0.05;
/** Share of the working set that host memory has to hold for measurements to apply, where it held all. */
const hostShareMin = 0.9;

/** Display names of the offloads. */
export const offloadNames = {
  none: 'no offload',
  native: 'native CPU offload',
  lmcache: 'LMCache',
} as const;

/** Describes how far an offload is from paying. */
export function breakEvenText(workingSet: number): string {
  const set = `the working set is ${roundPercent(workingSet)} of HBM's KV cache`;
  const from = `about ${roundPercent(breakEvenSets.native)} (native) and ${roundPercent(breakEvenSets.lmcache)} (LMCache)`;
  const isBeyond = workingSet > Math.max(breakEvenSets.native, breakEvenSets.lmcache);
  return isBeyond
    ? `${set}, more than the ${from} from which offload pays where prompts come back as in the measurements; the figures of this load decide`
    : `${set}, and offload begins to pay at ${from}`;
}

/**
 * Takes the tier of the rules if it pays in simulation, and native offload if that pays more. A tier that does not pay
 * there is left out, unless it finds what HBM has lost of a shared set beyond HBM: for such sets measured gains are
 * large, and the simulation is known to understate them.
 */
export function settleOffload(
  { kvOffload: kind, kvOffloadBecause }: Pick<Decision, 'kvOffload' | 'kvOffloadBecause'>,
  figures: OffloadFigures,
): SettledOffload {
  if (kind === 'none')
    return { kvOffload: kind, because: kvOffloadBecause, disagreement: undefined };
  const { gains } = figures;
  if (kind === 'lmcache' && prefersNative(figures)) {
    const because = `${comparison('native', kind, figures)}; what the engines share does not repay LMCache's lookups and copies`;
    return {
      kvOffload: 'native',
      because,
      disagreement: overruled(kind, kvOffloadBecause, 'native'),
    };
  }
  if (pays(gains[kind])) {
    const because = `${kvOffloadBecause}; simulated, ${gainWords(gains[kind])}${otherText(kind, figures)}`;
    return { kvOffload: kind, because, disagreement: undefined };
  }
  if (isMeasured(kind, figures)) {
    return {
      kvOffload: kind,
      because: kvOffloadBecause,
      disagreement: measuredText(kind, figures),
    };
  }
  return {
    kvOffload: 'none',
    because: `${comparison('none', kind, figures)}; ${whyNot(kind, figures)}`,
    disagreement: overruled(kind, kvOffloadBecause, 'none'),
  };
}

function overruled(byRules: OffloadKind, because: string, taken: OffloadKind): string {
  return `by the rules alone it would be ${offloadNames[byRules]} (${because}); the simulated fleets decide for ${offloadNames[taken]}`;
}

/** More tokens, and not by chance, or a shorter TTFT at no loss of tokens. */
function pays({ throughput, ttft }: Gain): boolean {
  return (
    (throughput.mean > gainMin && throughput.low > -gainMin) ||
    (ttft.mean < -ttftGainMin && throughput.mean > -gainMin)
  );
}

function prefersNative({ gains, nativeOverLmcache: change }: OffloadFigures): boolean {
  if (!pays(gains.native)) return false;
  if (!pays(gains.lmcache)) return true;
  return (
    (change.throughput.low > gainMin && change.ttft.mean < ttftGainMin) ||
    (change.ttft.high < -ttftGainMin && change.throughput.mean > -gainMin)
  );
}

/** Names native offload beside LMCache where it gains more on average, but not surely. */
function otherText(
  kind: OffloadKind,
  { nativeOverLmcache: { throughput } }: OffloadFigures,
): string {
  if (kind !== 'lmcache' || throughput.mean <= gainMin) return '';
  return `; ${offloadNames.native} gives ${range(throughput, roundChange)} more, which is not certain, and shares nothing between engines`;
}

/** Whether the measured fleets are like this one: a shared set beyond HBM, held by host memory, found by the tier. */
function isMeasured(
  kind: 'native' | 'lmcache',
  { runs, workingSet, hostShareOfSet, sharesPrefixes }: OffloadFigures,
): boolean {
  const found = runs[kind].hitRate - runs.none.hitRate;
  return sharesPrefixes && workingSet >= 1 && hostShareOfSet >= hostShareMin && found >= hitGainMin;
}

function measuredText(kind: 'native' | 'lmcache', { runs, gains }: OffloadFigures): string {
  const beyond = measuredOffload.filter(({ workingSet }) => workingSet >= 1);
  const measured = beyond.flatMap(({ native, lmcache = native }) => [native, lmcache]);
  const [least, most] = [Math.min(...measured), Math.max(...measured)];
  return (
    `in simulation ${offloadNames[kind]} does not pay (${gainWords(gains[kind])}), although ${roundPercent(runs[kind].hitRate)} of the prompt ` +
    `tokens are found, compared with ${roundPercent(runs.none.hitRate)} without it; on 16 × H100, sets beyond HBM gained ` +
    `${roundChange(least)} to ${roundChange(most)}, where the same simulation gives ${modelledOffload.map(roundChange).join(' and ')} ` +
    `for the largest sets: the measurements decide`
  );
}

function gainWords({ throughput, ttft }: Gain): string {
  return `${roundChange(throughput.mean)} tokens/s, TTFT ${roundChange(ttft.mean)}`;
}

/** Compares the figures of the better layout with those of the tier of the rules. */
function comparison(
  better: OffloadKind,
  byRules: 'native' | 'lmcache',
  { runs, gains, nativeOverLmcache, offloadGiB }: OffloadFigures,
): string {
  const [winner, other] = [runs[better], runs[byRules]];
  if (better === 'none' && gains[byRules].throughput.mean > 0) {
    return (
      `${offloadNames[byRules]} gives ${number(other.throughput)} instead of ${number(winner.throughput)} output tokens/s, which is no certain gain ` +
      `(${range(gains[byRules].throughput, roundChange)}), a TTFT of ${milliseconds(other.ttftMs)} instead of ${milliseconds(winner.ttftMs)}, and takes ` +
      `${number(offloadGiB)} GiB of host memory per engine`
    );
  }
  const change = better === 'none' ? inverse(gains[byRules]) : nativeOverLmcache.throughput;
  const memory =
    better === 'none' ? `, and ${number(offloadGiB)} GiB of host memory per engine stay free` : '';
  return (
    `${offloadNames[better]} gives ${number(winner.throughput)} instead of ${number(other.throughput)} ` +
    `output tokens/s (${range(change, roundChange)}) and a TTFT of ` +
    `${milliseconds(winner.ttftMs)} instead of ${milliseconds(other.ttftMs)}${memory}`
  );
}

/** The change of tokens per second in the other direction. */
function inverse({ throughput: { mean, low, high } }: Gain) {
  const back = (gain: number) => 1 / (1 + gain) - 1;
  return { mean: back(mean), low: back(high), high: back(low) };
}

function whyNot(
  kind: 'native' | 'lmcache',
  { runs, workingSet, hostShareOfSet, sharesPrefixes }: OffloadFigures,
): string {
  const [found, without] = [runs[kind].hitRate, runs.none.hitRate];
  if (!sharesPrefixes) {
    return 'no prompt comes back, so a tier could only give back what preemption takes, which is less than it costs';
  }
  const set = `the working set is ${roundPercent(workingSet)} of HBM's KV cache`;
  const hits = `${roundPercent(found)} of the prompt tokens are found, compared with ${roundPercent(without)} without it`;
  if (found - without >= hitGainMin) {
    return `${set}: ${hits}, but reading them saves no more than it costs; it would pay with longer shared prefixes or a larger model, whose tokens take longer to compute`;
  }
  return (
    `${set}: ${hits}, and the engines' host memory holds ${roundPercent(hostShareOfSet)} of the set; it would pay if more of it ` +
    'were reused after HBM has evicted it'
  );
}
