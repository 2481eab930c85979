// Reads the metrics of an engine, only those of a report where the engine can be asked for them: 4 KB instead of 30.
import {
  type EngineReport,
  engineReportQuery,
  parseEngineReport,
} from '../../../core/protocol/index.ts';
import type { FetchedAnswer, RepeatedGet } from '../../../io/http/index.ts';

const wholePage = '/metrics';
/** vLLM returns the whole page at `/metrics`, whatever the query says, and heeds `name[]` at the longer path only. */
const namedMetrics = `/metrics/?${engineReportQuery}`;

export class ReportReader {
  readonly #whole: RepeatedGet;
  /** Undefined once the engine has returned something else. */
  #named: RepeatedGet | undefined;

  constructor(get: (path: string) => RepeatedGet) {
    this.#whole = get(wholePage);
    this.#named = get(namedMetrics);
  }

  /**
   * @returns Undefined if the engine has no page of metrics.
   * @throws {Error} As `fetchBytes`.
   */
  async read(): Promise<EngineReport | undefined> {
    if (this.#named === undefined) return this.#whole.send(reportOf);
    const report = await this.#named.send(reportOf);
    if (report?.running !== undefined) return report;
    // vLLM with several API processes finds no metric by its name; other engines do not have the path.
    this.#named = undefined;
    return this.#whole.send(reportOf);
  }
}

function reportOf({ status, body }: FetchedAnswer): EngineReport | undefined {
  return status === 200 ? parseEngineReport(body) : undefined;
}
