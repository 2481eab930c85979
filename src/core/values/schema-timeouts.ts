// The keys of routerSpec.timeouts, from the table that the router's flags come from too.
import { z } from 'zod';
import { routerTimeouts, timeoutSecondsMax } from '../attempts/index.ts';
import { ours, section } from './schema-keys.ts';

/** The keys of `routerSpec.timeouts`. */
export const timeoutsSchema = section(
  Object.fromEntries(
    routerTimeouts.map(({ key, help, default: standard }) => {
      const seconds = z.number().min(0).max(timeoutSecondsMax);
      const schema =
        standard === 'auto'
          ? z.union([z.literal('auto'), seconds]).default(standard)
          : seconds.default(standard);
      return [
        key,
        ours(
          schema,
          `${help}.`.replace(/^./, (first) => first.toUpperCase()),
        ),
      ];
    }),
  ),
);
