// The arrival rate and where it is going: a straight line through the last minutes, followed only if it stands out from
// the noise, so that a steady rate does not look like a trend.

interface Sample {
  readonly atSeconds: number;
  readonly perSecond: number;
}

/** How long a trend is looked at. */
const windowSeconds = 300;
/** The rate of the last minute counts as the present one, */
const presentSeconds = 60;
/** unless so many seconds have more arrivals than chance explains: so many standard deviations of a Poisson process. */
const jumpSeconds = 30;
const jumpDeviations = 4;
/** A slope counts if it is so many of its standard errors away from none. */
const slopeErrorsMin = 2;
const samplesMin = 6;

export class ArrivalForecast {
  #samples: Sample[] = [];
  #last: { readonly atSeconds: number; readonly arrived: number } | undefined;

  /** @param arrived Requests since the beginning. */
  add(atSeconds: number, arrived: number): void {
    const last = this.#last;
    this.#last = { atSeconds, arrived };
    // A counter that went back is one of a process that was restarted.
    if (last === undefined || atSeconds <= last.atSeconds || arrived < last.arrived) return;
    const perSecond = (arrived - last.arrived) / (atSeconds - last.atSeconds);
    this.#samples.push({ atSeconds, perSecond });
    this.#samples = this.#samples.filter((one) => one.atSeconds > atSeconds - windowSeconds);
  }

  /** Arrivals per second at present. */
  get perSecond(): number {
    const minute = this.#meanOf(presentSeconds);
    const latest = this.#meanOf(jumpSeconds);
    const chance = jumpDeviations * Math.sqrt(Math.max(minute, 1 / jumpSeconds) / jumpSeconds);
    return latest > minute + chance ? latest : minute;
  }

  /** Returns the highest rate that is expected until then; the present one if it does not rise. */
  highestWithin(seconds: number): number {
    const rises = this.#significantSlope();
    return this.perSecond + (rises > 0 ? rises * (seconds + presentSeconds / 2) : 0);
  }

  #meanOf(seconds: number): number {
    const from = (this.#samples.at(-1)?.atSeconds ?? 0) - seconds;
    return mean(this.#samples.filter((one) => one.atSeconds > from).map((one) => one.perSecond));
  }

  /** Change of the rate in requests/s²; 0 if it may be chance. */
  #significantSlope(): number {
    const count = this.#samples.length;
    if (count < samplesMin) return 0;
    const time = mean(this.#samples.map((one) => one.atSeconds));
    const rate = mean(this.#samples.map((one) => one.perSecond));
    let [spread, covered] = [0, 0];
    for (const { atSeconds, perSecond } of this.#samples) {
      spread += (atSeconds - time) ** 2;
      covered += (atSeconds - time) * (perSecond - rate);
    }
    const slope = covered / spread;
    let residual = 0;
    for (const { atSeconds, perSecond } of this.#samples) {
      residual += (perSecond - rate - slope * (atSeconds - time)) ** 2;
    }
    const error = Math.sqrt(residual / (count - 2) / spread);
    return Math.abs(slope) >= slopeErrorsMin * error ? slope : 0;
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
