// Reads the metrics of an engine, only those of a report where the engine can be asked for them: 4 KB instead of 30. A page
// that has not changed, as that of an idle engine, is not parsed again.
import {
  type EngineReport,
  engineReportQuery,
  parseEngineReport,
} from '../../../core/protocol/index.ts';
import type { FetchedAnswer, RepeatedGet } from '../../../io/http/index.ts';

const wholePage = '/metrics';
/** vLLM returns the whole page at `/metrics`, whatever the query says, and heeds `name[]` at the longer path only. */
const namedMetrics = `/metrics/?${engineReportQuery}`;

/** Longest page that is kept to compare the next one with it: 4 MB for a thousand engines. */
const keptBytesMax = 8_192;

export class ReportReader {
  readonly #whole: RepeatedGet;
  /** Undefined once the engine has returned something else. */
  #named: RepeatedGet | undefined;
  /** The last page, which begins it; grows to the longest one. */
  #kept = Buffer.alloc(0);
  #keptLength = 0;
  #report: EngineReport | undefined;
  readonly #reportOf = (answer: FetchedAnswer) => this.#read(answer);

  constructor(get: (path: string) => RepeatedGet) {
    this.#whole = get(wholePage);
    this.#named = get(namedMetrics);
  }

  /**
   * @returns Undefined if the engine has no page of metrics.
   * @throws {Error} As `fetchBytes`.
   */
  async read(): Promise<EngineReport | undefined> {
    if (this.#named === undefined) return this.#whole.send(this.#reportOf);
    const report = await this.#named.send(this.#reportOf);
    if (report?.running !== undefined) return report;
    // vLLM with several API processes finds no metric by its name; other engines do not have the path.
    this.#named = undefined;
    return this.#whole.send(this.#reportOf);
  }

  #read({ status, body }: FetchedAnswer): EngineReport | undefined {
    if (status !== 200) return undefined;
    const { length } = body;
    const isSame = length === this.#keptLength && body.compare(this.#kept, 0, length) === 0;
    if (isSame && this.#report !== undefined) return this.#report;
    this.#report = parseEngineReport(body);
    this.#keptLength = length <= keptBytesMax ? length : -1;
    if (this.#keptLength > this.#kept.length) this.#kept = Buffer.allocUnsafeSlow(length);
    if (this.#keptLength >= 0) body.copy(this.#kept);
    return this.#report;
  }
}
