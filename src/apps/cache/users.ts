// Who may use the server over Redis' protocol: users with passwords, and the key space of each.
import { createHash, timingSafeEqual } from 'node:crypto';

/** The user of clients that name none; other cache servers are it, too. */
export const defaultUser = 'default';

export interface CacheUser {
  readonly name: string;
  readonly password: string;
  /** Name of the tenant whose keys it sees; empty for the shared key space. */
  readonly space: string;
}

/** Somebody who is authenticated. */
export type KnownUser = Pick<CacheUser, 'name' | 'space'>;

const nobodyButDefault: KnownUser = { name: defaultUser, space: '' };

export class Users {
  /** Digests of passwords: they have one length, whatever the passwords have. */
  readonly #digests = new Map<string, { readonly user: KnownUser; readonly digest: Buffer }>();
  /** Whether the default user needs no password. */
  readonly #isOpen: boolean;

  /**
   * @param users With names of their own.
   * @param defaultPassword That of the default user. Without it, clients need no password if there are no users, and
   *   nobody is the default user if there are some.
   */
  constructor(users: readonly CacheUser[], defaultPassword: string | undefined) {
    this.#isOpen = users.length === 0 && defaultPassword === undefined;
    const all = [...users];
    if (defaultPassword !== undefined) {
      all.push({ ...nobodyButDefault, password: defaultPassword });
    }
    for (const { password, ...user } of all) {
      this.#digests.set(user.name, { user, digest: digestOf(Buffer.from(password, 'utf8')) });
    }
  }

  /** Who a client is before it says so; undefined if it has to. */
  get unnamed(): KnownUser | undefined {
    return this.#isOpen ? nobodyButDefault : undefined;
  }

  /** A user who authenticated before; undefined if there is none of that name any more. */
  named(name: string | undefined): KnownUser | undefined {
    if (name === undefined) return undefined;
    if (this.#isOpen && name === defaultUser) return nobodyButDefault;
    return this.#digests.get(name)?.user;
  }

  /**
   * Checks a name and a password in constant time, whether there is such a user or not.
   *
   * @param name As received, in latin1, like the password.
   */
  authenticate(name: string, password: string): KnownUser | undefined {
    const known = this.#digests.get(Buffer.from(name, 'latin1').toString('utf8'));
    const given = digestOf(Buffer.from(password, 'latin1'));
    const isRight = timingSafeEqual(given, known?.digest ?? nobodysDigest);
    // As in Redis, any password is right for a default user without one.
    if (this.#isOpen && name === defaultUser) return nobodyButDefault;
    return isRight ? known?.user : undefined;
  }
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

const nobodysDigest = Buffer.alloc(32);
