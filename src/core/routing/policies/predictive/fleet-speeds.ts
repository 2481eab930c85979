// The prefill speed of all engines of one model together: what an engine without observations of its own is expected to have.
import type { Endpoint } from '../../contract.ts';
import { PrefillSpeed, speedPrior } from './prefill-speed.ts';

/** Models with a speed of their own; all further ones share one, which is the mixture of theirs. */
const modelsMax = 1024;
const others = '';

export class FleetSpeeds {
  /** By the first model that an engine lists, which is the one that its adapters are made for. */
  readonly #speeds = new Map<string, PrefillSpeed>();

  of({ models }: Endpoint): PrefillSpeed {
    const model = models[0] ?? others;
    const known = this.#speeds.get(model);
    if (known !== undefined) return known;
    const isFull = this.#speeds.size >= modelsMax && model !== others;
    if (isFull) return this.#speeds.get(others) ?? this.#add(others);
    return this.#add(model);
  }

  #add(model: string): PrefillSpeed {
    const speed = new PrefillSpeed(speedPrior, undefined, true);
    this.#speeds.set(model, speed);
    return speed;
  }
}
