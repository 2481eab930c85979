// What keeps the engines of an entry of the values file from starting.

/** A fault of an entry of modelSpec. */
export interface EngineFault {
  /** Keys and indexes from the top of the file. */
  readonly path: readonly (string | number)[];
  /** A sentence without its full stop. */
  readonly sentence: string;
  /** By the context that the catalogue has for the model; that of the model's own files, which vLLM reads, may be longer. */
  readonly isByContext?: boolean;
  /** Of the emulation only: vLLM itself starts. */
  readonly isEmulated?: boolean;
}
