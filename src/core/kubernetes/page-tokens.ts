// The pages of one list, so that a server that never ends it is left.
import { ClusterProtocolError } from './api-objects.ts';

/** Pages of a list. Six times what the largest list takes in pages of 100 objects: filtered pages may be short. */
export const pagesMax = 1_000;

export class PageTokens {
  readonly #seen = new Set<string>();

  /**
   * Takes the `continue` of a page.
   *
   * @returns The same, if there is a next page.
   * @throws {ClusterProtocolError} If a page was there before, or there are too many.
   */
  next(token: string | undefined): string | undefined {
    if (token === undefined) return undefined;
    if (this.#seen.has(token)) {
      throw new ClusterProtocolError(
        'the API server sends the same page of a list again and again',
      );
    }
    this.#seen.add(token);
    if (this.#seen.size >= pagesMax) {
      throw new ClusterProtocolError(`the API server sends a list of more than ${pagesMax} pages`);
    }
    return token;
  }
}
