// The login that "docker login" or "podman login" has saved for a registry.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RegistryLogin } from '../../core/deploy/index.ts';
import { at, textAt } from '../../core/kubernetes/index.ts';
import { findProgram } from '../../io/processes/index.ts';

const helperTimeoutMs = 10_000;

/**
 * Returns the login for a host, from the first of `REGISTRY_AUTH_FILE`, Podman's file and Docker's that has one. Undefined if none
 * has one: what anybody may read needs none.
 *
 * @param host With its port, if it has one. Docker Hub is `docker.io`.
 */
export async function registryLogin(
  host: string,
  environment: NodeJS.ProcessEnv,
): Promise<RegistryLogin | undefined> {
  for (const path of authFiles(environment)) {
    const file = await readJson(path);
    const login = file === undefined ? undefined : await loginIn(file, host, environment);
    if (login !== undefined) return login;
  }
  return undefined;
}

function authFiles(environment: NodeJS.ProcessEnv): readonly string[] {
  const { REGISTRY_AUTH_FILE: named, XDG_RUNTIME_DIR: run, DOCKER_CONFIG: docker } = environment;
  return [
    ...(named ? [named] : []),
    ...(run ? [join(run, 'containers', 'auth.json')] : []),
    join(docker || join(environment['HOME'] || homedir(), '.docker'), 'config.json'),
  ];
}

async function loginIn(
  file: unknown,
  host: string,
  environment: NodeJS.ProcessEnv,
): Promise<RegistryLogin | undefined> {
  const names = host === 'docker.io' ? ['https://index.docker.io/v1/', host] : [host];
  for (const name of [...names, `https://${host}`]) {
    const helper = textAt(file, 'credHelpers', name);
    if (helper !== '') return askHelper(helper, name, environment);
    const login = parseLogin(textAt(file, 'auths', name, 'auth'));
    if (login !== undefined) return login;
    const store = textAt(file, 'credsStore');
    if (store !== '' && at(file, 'auths', name) !== undefined) {
      return askHelper(store, name, environment);
    }
  }
  return undefined;
}

/** @param auth Base64 of `user:password`. */
function parseLogin(auth: string): RegistryLogin | undefined {
  const [user = '', ...rest] = Buffer.from(auth, 'base64').toString().split(':');
  return user === '' || rest.length === 0 ? undefined : { user, password: rest.join(':') };
}

/**
 * Asks the program `docker-credential-NAME`, which keeps logins in the system's keychain.
 *
 * @see https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
 */
async function askHelper(
  name: string,
  server: string,
  environment: NodeJS.ProcessEnv,
): Promise<RegistryLogin | undefined> {
  if (!/^[\w-]+$/.test(name)) return undefined;
  const program = findProgram(`docker-credential-${name}`, environment['PATH']);
  if (program === undefined) return undefined;
  const text = await new Promise<string>((resolve) => {
    const child = execFile(
      program,
      ['get'],
      { timeout: helperTimeoutMs, env: environment },
      (error, stdout) => {
        resolve(error === null ? stdout : '');
      },
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(server);
  });
  const answer = parseJson(text);
  const [user, password] = [textAt(answer, 'Username'), textAt(answer, 'Secret')];
  return user === '' || password === '' ? undefined : { user, password };
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseJson(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
