// When the parts of a response came: its latency metrics. Times are milliseconds of performance.now().
import type { Exemplar } from '../../../core/base/index.ts';
import type { StreamSeries } from '../metrics/engine-metrics.ts';

/** The times of one request and its response. */
export class ResponseTiming {
  readonly #arrivedAtMs: number;
  /** Set while the response is streamed text. */
  #stream: StreamSeries | undefined = undefined;
  #firstByteAtMs = 0;
  #lastReadAtMs = 0;
  #chunks = 0;

  constructor(arrivedAtMs: number) {
    this.#arrivedAtMs = arrivedAtMs;
  }

  /** An attempt at streamed text has its first data. */
  firstByte(stream: StreamSeries, nowMs: number): void {
    // The client of a stream that has moved has had its first token.
    const hasMoved = this.#stream !== undefined;
    this.#stream = stream;
    this.#lastReadAtMs = nowMs;
    if (hasMoved) return;
    const seconds = this.seconds(nowMs);
    stream.firstTokenSeconds.observe(seconds);
    stream.windows.add('ttft', seconds, nowMs / 1000);
    this.#firstByteAtMs = nowMs;
  }

  /** The first read of an attempt, with the number of its chunks. */
  begun(chunks: number): void {
    this.#chunks += chunks;
  }

  /**
   * A further read. In a stream, the time since the read before is a gap between tokens: engines write one chunk
   * per event. The read that ends the stream has no token of its own.
   */
  read(chunks: number, ended: boolean): void {
    this.#chunks += chunks;
    const stream = this.#stream;
    if (stream === undefined || chunks === 0 || ended) return;
    const nowMs = performance.now();
    stream.tokenGapSeconds.observe((nowMs - this.#lastReadAtMs) / 1000 / chunks, chunks);
    this.#lastReadAtMs = nowMs;
  }

  /** Names the trace of the time to first token. */
  exemplify(trace: { exemplar(value: number): Exemplar }): void {
    const seconds = this.ttftSeconds;
    if (seconds !== undefined) this.#stream?.firstTokenSeconds.exemplify(trace.exemplar(seconds));
  }

  /** Seconds since the request arrived. */
  seconds(nowMs: number): number {
    return (nowMs - this.#arrivedAtMs) / 1000;
  }

  /** Time to first token in seconds; undefined if the response was no streamed text. */
  get ttftSeconds(): number | undefined {
    return this.#stream && this.seconds(this.#firstByteAtMs);
  }

  /**
   * Mean time per output token after the first of a streamed response, in seconds.
   *
   * @param outputTokens As the response reported them. Without a report, each chunk counts as a token; the last
   *   chunk of a stream is its `[DONE]`.
   */
  tokenSeconds(outputTokens: number | undefined, nowMs: number): number | undefined {
    if (this.#stream === undefined) return undefined;
    const tokens = outputTokens ?? this.#chunks - 1;
    return tokens > 1 ? (nowMs - this.#firstByteAtMs) / 1000 / (tokens - 1) : undefined;
  }
}
