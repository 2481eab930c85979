// How long a client says that it waits.
import { type ClientPatience, endlessPatience } from '../../../core/attempts/index.ts';
import type { Headers } from '../../../io/http/index.ts';

/**
 * Deadline of the whole request in milliseconds, the name of Envoy, which counts retries in too; 0 is none.
 *
 * @see https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
 */
const totalHeader = 'x-envoy-upstream-rq-timeout-ms';
/** The same in gRPC: up to eight digits and a unit. @see https://grpc.io/docs/guides/deadlines/ */
const grpcHeader = 'grpc-timeout';
const grpcUnits: Readonly<Record<string, number>> = {
  ...{ H: 3600, M: 60, S: 1, m: 1e-3, u: 1e-6, n: 1e-9 },
};
/**
 * Seconds that OpenAI's clients wait: the one in TypeScript for the head of the response, the one in Python for
 * each read. Of a stream, either is the time until its first byte; otherwise, the time until the whole response.
 */
const clientHeaders = ['x-stainless-timeout', 'x-stainless-read-timeout'];
/** These clients give up by themselves. An error at the same moment would be taken for one of the server. */
const clientGraceSeconds = 1;

/** Reads the headers; a value that is no duration is ignored. */
export function clientPatience(headers: Headers, isStream: boolean): ClientPatience {
  const { names } = headers;
  let [totalSeconds, firstByteSeconds] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    // Few requests have any of these headers, which differ in their first letter from most others.
    const initial = name.charCodeAt(0);
    if (initial !== letterX && initial !== letterG) continue;
    const value = headers.values[i] as string;
    if (name === totalHeader) totalSeconds = Math.min(totalSeconds, secondsOf(value, 1e-3));
    else if (name === grpcHeader) {
      const unit = grpcUnits[value.slice(-1)];
      if (unit !== undefined)
        totalSeconds = Math.min(totalSeconds, secondsOf(value.slice(0, -1), unit));
    } else if (clientHeaders.includes(name)) {
      firstByteSeconds = Math.min(firstByteSeconds, secondsOf(value, 1) + clientGraceSeconds);
    }
  }
  if (Math.min(totalSeconds, firstByteSeconds) === Number.POSITIVE_INFINITY) return endlessPatience;
  if (!isStream) totalSeconds = Math.min(totalSeconds, firstByteSeconds);
  return { totalSeconds, firstByteSeconds };
}

const letterX = 0x78;
const letterG = 0x67;

/** Infinity if it is not a positive decimal number of at most eight digits. */
function secondsOf(text: string, unit: number): number {
  if (!/^\d{1,8}(?:\.\d{1,6})?$/.test(text)) return Number.POSITIVE_INFINITY;
  return Number(text) * unit || Number.POSITIVE_INFINITY;
}
