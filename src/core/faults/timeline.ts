// Virtual time: events in order of time, with a trail of the last ones.
import { type Clock, ManualClock, MinHeap, RingBuffer } from '../base/index.ts';

interface Event {
  readonly label: string;
  readonly act: () => void;
}

interface PlayedEvent {
  readonly atSeconds: number;
  readonly label: string;
}

/** Number of events in the report of a violation. */
const trailMax = 40;

export class Timeline {
  readonly #clock = new ManualClock();
  readonly #events = new MinHeap<Event>();
  readonly #trail = new RingBuffer<PlayedEvent>({ itemsMax: trailMax });
  #played = 0;

  get clock(): Clock {
    return this.#clock;
  }

  get nowSeconds(): number {
    return this.#clock.nowSeconds();
  }

  get played(): number {
    return this.#played;
  }

  /** The last events, oldest first, each with its time. */
  get trail(): readonly string[] {
    return Array.from(this.#trail, ({ atSeconds, label }) => `${atSeconds.toFixed(4)} s  ${label}`);
  }

  /** Adds an event; simultaneous events happen in the order added. @param label For the trail. */
  at(seconds: number, label: string, act: () => void): void {
    this.#events.add(seconds, { label, act });
  }

  after(seconds: number, label: string, act: () => void): void {
    this.at(this.nowSeconds + seconds, label, act);
  }

  /** Runs the next event. @returns Whether there was one. */
  step(): boolean {
    const atSeconds = this.#events.leastRank;
    const event = this.#events.take();
    if (event === undefined) return false;
    this.#clock.advanceTo(atSeconds);
    this.#trail.push({ atSeconds, label: event.label });
    this.#played++;
    event.act();
    return true;
  }
}
