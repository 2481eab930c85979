// The connections without a request in flight, idle longest first. A linked list, because two changes
// come with each request: a Set hashes the connection for each, and copies itself now and then.

/** A place in a list: its neighbours, or itself twice while it is in none. */
export class IdlePlace<T> {
  readonly item: T;
  before: IdlePlace<T> = this;
  after: IdlePlace<T> = this;

  constructor(item: T) {
    this.item = item;
  }
}

/**
 * @example
 * const list = new IdleList<string>();
 * const place = new IdlePlace('a');
 * list.add(place);
 * list.longest; // 'a'
 * list.remove(place);
 */
export class IdleList<T> {
  /** Between the last and the first. */
  readonly #ends = new IdlePlace<T | undefined>(undefined);

  /** The one that was added first; undefined if the list is empty. */
  get longest(): T | undefined {
    return this.#ends.after.item;
  }

  /** Adds a place as the last, or moves it there. */
  add(place: IdlePlace<T>): void {
    this.remove(place);
    const ends = this.#ends as IdlePlace<T>;
    place.before = ends.before;
    place.after = ends;
    ends.before.after = place;
    ends.before = place;
  }

  /** Does nothing if the place is in no list. */
  remove(place: IdlePlace<T>): void {
    place.before.after = place.after;
    place.after.before = place.before;
    place.before = place;
    place.after = place;
  }
}
