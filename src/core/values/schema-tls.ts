// The keys of `routerSpec.tls` and `routerSpec.engineTls`, from the table that the router's flags come from too.
import { z } from 'zod';
import { engineTlsSettings, listenerTlsSettings, type TlsSetting } from '../tls/index.ts';
import { ours, section } from './schema-keys.ts';

export const listenerTlsSchema = sectionOf(listenerTlsSettings);
export const engineTlsSchema = sectionOf(engineTlsSettings);

function sectionOf<Key extends string>(settings: readonly TlsSetting<Key>[]) {
  const keys = settings.map(({ key, help }) => {
    const text = help.replace(/^./, (first) => first.toUpperCase());
    return [key, ours(z.string().min(1).optional(), `${text}.`)] as const;
  });
  return section(Object.fromEntries(keys) as Record<Key, z.ZodOptional<z.ZodString>>);
}
