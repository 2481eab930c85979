// Label matchers of Prometheus' query language.

/**
 * Returns a matcher for series whose label has exactly this value. JSON's escapes are among those of PromQL;
 * the control characters that JSON leaves are escaped, too, since YAML allows none.
 *
 * @param name A label's name; it is not quoted.
 * @example promqlMatcher('model_name', 'a"b'); // model_name="a\"b"
 * @see https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
 */
export function promqlMatcher(name: string, value: string): string {
  const literal = JSON.stringify(value.toWellFormed()).replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${name}=${literal}`;
}
