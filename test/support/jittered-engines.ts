// Equal engines as they are in reality: their steps take a little more or less than they should, and the first ones after a
// start take several times as long, because code and kernels are compiled.
import { type Random, seededRandom } from '../../src/core/base/index.ts';
import { fleetOf, type SimulatedEngine } from '../../src/core/simulation/index.ts';

/** Standard deviation of a step's time, as a share of it. */
const jitter = 0.3;
/** Overhead of a step in a process of its own. */
const overheadSeconds = 0.003;
/** One step in a hundred waits so long for the machine. */
const pauseSeconds = 0.03;
/** The first step of a process takes up to so many times as long; 40 to 120 steps later, none does. */
const coldFactor = 11;

export interface JitteredFleet {
  readonly engines: number;
  readonly seed: number;
  /** Whether the processes have just started. */
  readonly isCold: boolean;
  /** Factor on the step times of the first engine. @default 1 */
  readonly firstSlowedBy?: number;
  /** Tokens per block id of the traffic. */
  readonly blockTokens: number;
  /** @default 'calibrated' */
  readonly stepCost?: 'calibrated' | 'roofline';
}

export function jitteredEngines(options: JitteredFleet): SimulatedEngine[] {
  const { engines, seed, isCold, firstSlowedBy = 1, blockTokens, stepCost } = options;
  return fleetOf({ engines, blockTokens, stepCost }).map((engine, index) => {
    const random = seededRandom(seed * 1000 + index);
    const coldSteps = isCold ? 40 + 80 * random.next() : 0;
    const slowness = index === 0 ? firstSlowedBy : 1;
    let steps = 0;
    const { cost } = engine;
    const factor = () => {
      const rest = Math.max(0, 1 - ++steps / coldSteps);
      const cold = steps < coldSteps ? (coldFactor - 1) * random.next() * rest : 0;
      return slowness * (1 + cold) * Math.exp(jitter * normal(random) - jitter ** 2 / 2);
    };
    const pause = () => (random.next() < 0.01 ? pauseSeconds : 0);
    return {
      ...engine,
      cost: {
        stepSeconds: (load) => (cost.stepSeconds(load) + overheadSeconds) * factor() + pause(),
      },
    };
  });
}

/** Box and Muller. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}
