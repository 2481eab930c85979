// A list whose items carry their own links: adding and removing one at any place allocates and hashes nothing.

/** What an item needs; only the list that it is in changes these fields. */
export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

/**
 * Items in the order added. An item is in one list at most. Unlike a Set, which hashes objects and now and then
 * copies itself, it suits items that come and go with each request. Its user bounds it.
 *
 * @example
 * const idle = new LinkedList<Connection>();
 * idle.add(connection);
 * idle.first; // connection
 * idle.remove(connection);
 */
export class LinkedList<T extends Linked<T>> {
  #first: T | undefined = undefined;
  #last: T | undefined = undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The item that was added first; undefined if there is none. */
  get first(): T | undefined {
    return this.#first;
  }

  has(item: T): boolean {
    return item.previous !== undefined || this.#first === item;
  }

  /** Adds an item as the last one. One that is in the list moves there. */
  add(item: T): void {
    this.remove(item);
    item.previous = this.#last;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
    this.#length++;
  }

  /** Removes an item; one that is not in the list is left alone. */
  remove(item: T): void {
    if (!this.has(item)) return;
    const { previous, next } = item;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    item.previous = undefined;
    item.next = undefined;
    this.#length--;
  }

  /** The items as they are now, so that the list may change while they are visited. */
  items(): T[] {
    const items: T[] = [];
    for (let item = this.#first; item !== undefined; item = item.next) items.push(item);
    return items;
  }
}
