// Objects without the fields that are undefined, because an absent field means the default.

/** The fields of an object, of which those that may be undefined may be absent instead. */
type Given<T> = {
  [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name];
} & { [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined> };

/** @example { ...defaults, ...withoutUndefined({ port: undefined }) } // the default port */
export function withoutUndefined<T extends object>(fields: T): Given<T> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Given<T>;
}
