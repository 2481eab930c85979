// The keys of `routerSpec.admission`, from the table of settings.
import { z } from 'zod';
import { type AdmissionSettings, admissionSettings } from '../attempts/index.ts';
import { ours, section } from './schema-keys.ts';

type AdmissionShape = Readonly<Record<keyof AdmissionSettings, z.ZodDefault<z.ZodNumber>>>;

export const admissionSchema = section(
  Object.fromEntries(
    admissionSettings.map(({ key, unit, help, default: standard, min, max }) => {
      const base = unit === 'n' ? z.int() : z.number();
      const text = help.replace(/^./, (first) => first.toUpperCase());
      return [key, ours(base.min(min).max(max).default(standard), `${text}.`)];
    }),
  ) as AdmissionShape,
);
