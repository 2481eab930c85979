// Messages between the router's thread and the skimming thread.

export interface SkimRequest {
  readonly id: number;
  /** Shared, not copied. */
  readonly bytes: Uint8Array;
  readonly keys: readonly string[];
}

/** `spans` as `skimJsonObject` returns them, or why the bytes are not a JSON object. */
export type SkimResponse =
  | { readonly id: number; readonly spans: Int32Array }
  | { readonly id: number; readonly syntaxError: string };
