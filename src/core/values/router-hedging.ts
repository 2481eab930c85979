// The keys of `routerSpec.hedging`, from the table of settings.
import { z } from 'zod';
import { type HedgeSettings, hedgeSettings } from '../attempts/index.ts';
import { ours, section } from './schema-keys.ts';

type HedgingShape = Readonly<Record<keyof HedgeSettings, z.ZodDefault<z.ZodNumber>>>;

export const hedgingSchema = section(
  Object.fromEntries(
    hedgeSettings.map(({ key, help, default: standard, min, max }) => {
      const text = help.replace(/^./, (first) => first.toUpperCase());
      return [key, ours(z.number().min(min).max(max).default(standard), `${text}.`)];
    }),
  ) as HedgingShape,
);
