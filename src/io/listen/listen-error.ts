// Turns an error of `listen`, such as a port in use, into one sentence with its remedy.
import { InputError } from '../../core/base/index.ts';

/**
 * @param error The error of `listen`.
 * @param flag The flag that chooses another port.
 */
export function portError(error: Error, host: string, port: number, flag = '--port'): InputError {
  const place = `Port ${port} on ${host}`;
  const { code } = error as NodeJS.ErrnoException;
  const instead = `choose another port with ${flag}`;
  if (code === 'EACCES') {
    return inputError(
      error,
      `${place} needs privileges that this user lacks; choose one of 1024 or above with ${flag}`,
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return inputError(
      error,
      `${host} is not an address of this machine; choose 127.0.0.1, 0.0.0.0 or one of its own with --host`,
    );
  }
  return inputError(error, sentence(error, place, instead));
}

/** Does the same for a ZeroMQ endpoint. */
export function endpointError(error: Error, endpoint: string): InputError {
  return inputError(error, sentence(error, endpoint, 'choose another endpoint'));
}

function sentence(error: Error, place: string, instead: string): string {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    ? `${place} is in use; stop the program that listens there, or ${instead}`
    : `${place} cannot be used (${error.message}); ${instead}`;
}

function inputError(cause: Error, text: string): InputError {
  return new InputError(`${text}.`, { cause });
}
