// One request to a pod, with a deadline and a bound on the response.

export interface PodCall {
  /** Sent as JSON by POST; without one it is a GET. */
  readonly body?: object | undefined;
  readonly apiKey?: string | undefined;
  readonly signal: AbortSignal;
  /** For the whole response. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

/** @throws {Error} If there is no complete response in time, with the reason. */
export async function callPod(
  url: string,
  { body, apiKey, signal, timeoutMs, bytesMax }: PodCall,
): Promise<{ readonly status: number; readonly text: string }> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'error',
      signal: AbortSignal.any([deadline, signal]),
      headers: {
        // A pod that was restarted has closed the connections of the one before.
        connection: 'close',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await limitedText(response, bytesMax) };
  } catch (cause) {
    const { message, cause: inner } = cause as Error;
    const why = deadline.aborted
      ? `no response within ${timeoutMs / 1000} s`
      : inner instanceof Error
        ? inner.message
        : message;
    throw new Error(`${new URL(url).pathname}: ${why}`, { cause });
  }
}

async function limitedText(response: Response, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
