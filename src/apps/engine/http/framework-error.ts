// Errors with FastAPI's own response, without vLLM's error object.

export class FrameworkError extends Error {
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(httpStatus: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.httpStatus = httpStatus;
    this.headers = headers;
  }

  /** `{"detail": …}` */
  body(): string {
    return JSON.stringify({ detail: this.message });
  }
}
