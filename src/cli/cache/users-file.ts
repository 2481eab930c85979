// The users of the cache server and their tenants, from the file of --users. Passwords stand elsewhere: in files or in the
// environment, which not every user of the machine can read.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type CacheUser, defaultUser } from '../../apps/cache/index.ts';
import { InputError } from '../../core/base/index.ts';
import { type TenantQuota, tenantNamePattern, tenantsMax } from '../../core/cache/index.ts';
import { type Problem, placeAt, readDocument, ValuesError } from '../../core/values/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import { byteSize } from '../arguments/quantities.ts';
import { secretFrom } from '../router/secret-from.ts';

const name = z
  .string()
  .regex(tenantNamePattern, 'must have up to 63 letters, digits, dots, dashes or underscores');

const schema = z.strictObject({
  users: z
    .array(
      z.strictObject({
        name,
        passwordEnv: z.string().min(1).optional(),
        passwordFile: z.string().min(1).optional(),
        /** By default a tenant of the user's name. */
        tenant: name.optional(),
      }),
    )
    .default([]),
  tenants: z
    .array(
      z.strictObject({
        name,
        /** Beginning of its keys; by default it has keys of its own. */
        prefix: z.string().min(1).optional(),
        memory: z.string().optional(),
      }),
    )
    .default([]),
});

type UsersFile = z.infer<typeof schema>;

/**
 * Reads the file.
 *
 * @param passwordOf Reads a password from the environment.
 * @throws {InputError} If it cannot be read, or says something else than who the users are.
 */
export function readUsersFile(
  path: string,
  passwordOf: (variable: string) => string | undefined = secretFrom,
): { readonly users: readonly CacheUser[]; readonly tenants: readonly TenantQuota[] } {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InputError(`--users ${path} cannot be read: ${fileProblem(cause)}.`, { cause });
  }
  const { value, written } = readDocument(schema, text, path);
  const problems: Problem[] = [];
  const refuse = (at: readonly (string | number)[], sentence: string) =>
    problems.push({ place: placeAt(written, [...at]), sentence });
  const quotas = new Map<string, TenantQuota>();
  for (const [i, tenant] of value.tenants.entries()) {
    const at = ['tenants', i, 'name'];
    if (quotas.has(tenant.name)) refuse(at, `two tenants have the name "${tenant.name}"`);
    if (tenant.name === defaultUser) refuse(at, `"${defaultUser}" is the shared key space`);
    quotas.set(tenant.name, { ...tenant, bytesMax: memoryOf(tenant, i, refuse) });
  }
  const users = value.users.map((user, i): CacheUser => {
    const same = value.users.findIndex((other) => other.name === user.name);
    if (same < i || user.name === defaultUser) {
      const known = `is "${defaultUser}", whose password is that of --password-env`;
      const why = same < i ? `: two users have the name "${user.name}"` : ` ${known}`;
      refuse(['users', i, 'name'], `users[${i}].name${why}`);
    }
    const { tenant = user.name } = user;
    if (tenant !== defaultUser && !quotas.has(tenant)) quotas.set(tenant, { name: tenant });
    const isShared = tenant === defaultUser || quotas.get(tenant)?.prefix !== undefined;
    const password = passwordIn(user, passwordOf, (sentence) =>
      refuse(['users', i], `users[${i}]${sentence}`),
    );
    return { name: user.name, password, space: isShared ? '' : tenant };
  });
  if (quotas.size > tenantsMax) {
    refuse(['users'], `there are ${quotas.size} tenants; the maximum is ${tenantsMax}`);
  }
  if (problems.length > 0) throw new ValuesError(problems);
  return { users, tenants: [...quotas.values()] };
}

function memoryOf(
  { memory }: UsersFile['tenants'][number],
  index: number,
  refuse: (at: readonly (string | number)[], sentence: string) => void,
): number | undefined {
  if (memory === undefined) return undefined;
  try {
    return byteSize({ min: 1 << 20 })(memory);
  } catch (error) {
    const key = `tenants[${index}].memory`;
    refuse(['tenants', index, 'memory'], `${key} is "${memory}". ${(error as Error).message}`);
    return undefined;
  }
}

function passwordIn(
  { passwordEnv, passwordFile }: UsersFile['users'][number],
  passwordOf: (variable: string) => string | undefined,
  refuse: (sentence: string) => void,
): string {
  if ((passwordEnv === undefined) === (passwordFile === undefined)) {
    refuse(' must have either passwordEnv or passwordFile');
    return '';
  }
  if (passwordEnv !== undefined) {
    const password = passwordOf(passwordEnv) ?? '';
    if (password === '') refuse(`.passwordEnv: the environment has no ${passwordEnv}`);
    return password;
  }
  try {
    const password = readFileSync(passwordFile as string, 'utf8').trim();
    if (password === '') refuse(`.passwordFile: ${passwordFile} is empty`);
    return password;
  } catch (cause) {
    refuse(`.passwordFile: ${passwordFile} cannot be read: ${fileProblem(cause)}`);
    return '';
  }
}
