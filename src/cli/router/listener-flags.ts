// Where the router listens, and TLS on both of its sides.
import { type Command, Option } from 'commander';
import type { RouterOptions } from '../../apps/router/index.ts';
import { InputError } from '../../core/base/index.ts';
import { engineTlsSettings, listenerTlsSettings } from '../../core/tls/index.ts';
import { portOrAny } from '../arguments/numbers.ts';

export interface ListenerFlags {
  readonly host: string;
  readonly port: number;
  readonly rootPath: string;
  readonly adminPort?: number;
  readonly adminHost?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly engineTlsCa?: string;
  readonly engineTlsCert?: string;
  readonly engineTlsKey?: string;
  readonly engineTlsServerName?: string;
}

export function addListenerFlags(command: Command): Command {
  command
    .optionsGroup('Listening:')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 chooses a free one', portOrAny, 8001)
    .option('--root-path <path>', 'prefix of all paths', rootPath, '')
    .option(
      '--admin-port <port>',
      'port of its own for health, metrics, views and the page, which are then not on --port (except health)',
      portOrAny,
    )
    .option('--admin-host <address>', 'address of the admin port (default: --host)')
    .optionsGroup('TLS:');
  for (const { flag, placeholder, help } of [...listenerTlsSettings, ...engineTlsSettings]) {
    command.option(`${flag} ${placeholder}`, help);
  }
  // uvicorn's names, which vLLM has too.
  for (const [name, option] of [
    ['ssl-certfile', 'tlsCert'],
    ['ssl-keyfile', 'tlsKey'],
  ] as const) {
    command.addOption(new Option(`--${name} <file>`).hideHelp());
    command.on(`option:${name}`, (file: string) => command.setOptionValue(option, file));
  }
  return command;
}

/** @throws {InputError} If a flag lacks the one that it belongs to, or contradicts another. */
export function listenersFrom(
  flags: ListenerFlags,
): Pick<RouterOptions, 'host' | 'port' | 'rootPath' | 'admin' | 'tls' | 'engineTls'> {
  const { host, port, rootPath, adminPort, adminHost, tlsCert, tlsKey, tlsClientCa } = flags;
  if (adminHost !== undefined && adminPort === undefined) {
    throw new InputError('--admin-host needs --admin-port.');
  }
  if (
    adminPort !== undefined &&
    adminPort !== 0 &&
    adminPort === port &&
    (adminHost ?? host) === host
  ) {
    throw new InputError(`--admin-port and --port are both ${port}; choose two ports.`);
  }
  const hasTls = (tlsCert ?? tlsKey ?? tlsClientCa) !== undefined;
  const engineTls = {
    ...{ ca: flags.engineTlsCa, cert: flags.engineTlsCert, key: flags.engineTlsKey },
    serverName: flags.engineTlsServerName,
  };
  const hasEngineTls = Object.values(engineTls).some((value) => value !== undefined);
  return {
    ...{ host, port, rootPath },
    admin: adminPort === undefined ? undefined : { port: adminPort, host: adminHost },
    tls: hasTls ? { cert: tlsCert, key: tlsKey, ca: tlsClientCa } : undefined,
    engineTls: hasEngineTls ? engineTls : undefined,
  };
}

function rootPath(text: string): string {
  const path = text.replace(/\/+$/, '');
  if (path === '' || path.startsWith('/')) return path;
  throw new InputError(`--root-path must begin with "/", not "${text}".`);
}
