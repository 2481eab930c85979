// The value of a flag that is a JSON object.
import { InvalidArgumentError } from 'commander';

export function jsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new InvalidArgumentError('It must be a JSON object, such as {"top_k": 20}.');
}
