// Who a client of Redis' protocol is, and so which keys it sees: AUTH, HELLO and RESET.
import { errorReply, mapReply, ok, type RespVersion, simple } from '../../core/resp/index.ts';
import { argumentsError, type Reply, type RespCall } from './commands/call.ts';
import { badClientName, isClientName, redisVersion } from './commands/server.ts';
import type { RespService, RespSpace } from './resp-service.ts';
import { defaultUser, type KnownUser, type Users } from './users.ts';

const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';

export class ClientIdentity {
  readonly #users: Users;
  readonly #spaceNamed: RespService['space'];
  #user: KnownUser | undefined;
  #space: RespSpace;

  /** @param user Undefined for somebody who has to say who it is. */
  constructor({ users, space }: RespService, user: KnownUser | undefined) {
    this.#users = users;
    this.#spaceNamed = space;
    this.#user = user;
    this.#space = space(user?.space ?? '');
  }

  /** Whether it may use the store. */
  get isKnown(): boolean {
    return this.#user !== undefined;
  }

  /** Name of its user, or of the one that it may become. */
  get userName(): string {
    return this.#user?.name ?? defaultUser;
  }

  /** The keys of its tenant. */
  get space(): RespSpace {
    return this.#space;
  }

  auth(call: RespCall, args: readonly string[]): Reply {
    if (args.length === 0) return errorReply(argumentsError('auth'));
    if (args.length > 2) return errorReply('ERR syntax error');
    if (this.#users.unnamed !== undefined && args.length === 1) {
      return errorReply(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
    }
    const [name = '', password = ''] = args.length === 2 ? args : [defaultUser, ...args];
    return this.#authenticate(call, name, password) ? ok : errorReply(wrongPassword);
  }

  hello(call: RespCall, args: readonly string[]): Reply {
    const [version, ...options] = args;
    if (version !== undefined && !/^-?\d{1,9}$/.test(version)) {
      return errorReply('ERR Protocol version is not an integer or out of range');
    }
    if (version !== undefined && version !== '2' && version !== '3') {
      return errorReply('NOPROTO unsupported protocol version');
    }
    const error = this.#takeOptions(call, options);
    if (error !== undefined) return errorReply(error);
    if (!this.isKnown) {
      return errorReply(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      );
    }
    if (version !== undefined) call.version = Number(version) as RespVersion;
    return mapReply(call.version, [
      ['server', 'redis'],
      ['version', redisVersion],
      ['proto', call.version],
      ['id', call.id],
      ['mode', 'standalone'],
      ['role', 'master'],
      ['modules', []],
    ]);
  }

  /** The client as it was when it connected. */
  reset(call: RespCall): Reply {
    call.version = 2;
    call.name = '';
    this.#become(call, this.#users.unnamed);
    return simple('RESET');
  }

  /** Takes the options of HELLO in order; those before a wrong one have their effect. @returns Redis' error. */
  #takeOptions(call: RespCall, options: readonly string[]): string | undefined {
    for (let i = 0; i < options.length; ) {
      const option = options[i]?.toUpperCase();
      if (option === 'AUTH' && i + 2 < options.length) {
        const [name = '', password = ''] = options.slice(i + 1, i + 3);
        if (!this.#authenticate(call, name, password)) return wrongPassword;
        i += 3;
      } else if (option === 'SETNAME' && i + 1 < options.length) {
        const name = options[i + 1] ?? '';
        if (!isClientName(name)) return badClientName;
        call.name = name;
        i += 2;
      } else {
        return `ERR Syntax error in HELLO option '${options[i] ?? ''}'`;
      }
    }
    return undefined;
  }

  /** A wrong password changes nothing. */
  #authenticate(call: RespCall, name: string, password: string): boolean {
    const user = this.#users.authenticate(name, password);
    if (user !== undefined) this.#become(call, user);
    return user !== undefined;
  }

  #become(call: RespCall, user: KnownUser | undefined): void {
    this.#user = user;
    this.#space = this.#spaceNamed(user?.space ?? '');
    call.user = this.userName;
    call.isPeer = false;
    call.store = this.#space.store;
    call.misses.sizes = this.#space.sizes;
  }
}
