// Messages between the router's thread and the skimming thread. The memory of a body moves with them.

export interface SkimRequest {
  readonly bytes: Uint8Array;
  readonly keys: readonly string[];
}

/** `spans` as `skimJsonObject` returns them, or why the bytes are not a JSON object. These come back in any case. */
export type SkimResponse = { readonly bytes: Uint8Array } & (
  | { readonly spans: Int32Array }
  | { readonly syntaxError: string }
);
