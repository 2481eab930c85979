// Numbers in the format of the Python client library, which scrapers of vLLM expect.

/**
 * A sample value or bucket bound in the text format.
 *
 * @example formatValue(3); // '3.0'
 * @example formatValue(1048576); // '1.048576e+06'
 * @see https://github.com/prometheus/client_python, `floatToGoString`
 */
export function formatValue(value: number): string {
  // Most samples are small counts.
  if (Number.isInteger(value) && value < 1e6 && value > -1e6) return `${value}.0`;
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  const text = String(value);
  if (text.includes('e')) return text.replace(/e([+-])(\d)$/, 'e$10$2');
  const magnitude = Math.abs(value);
  // Python writes an exponent below 1e-4, JavaScript only below 1e-6.
  if (magnitude !== 0 && magnitude < 1e-4) {
    return value.toExponential().replace(/e-(\d)$/, 'e-0$1');
  }
  const dot = text.indexOf('.');
  const integerDigits = dot === -1 ? text.length : dot;
  if (value > 0 && integerDigits > 6) {
    const digits = text.replace('.', '').slice(1).replace(/0+$/, '');
    const exponent = String(integerDigits - 1).padStart(2, '0');
    return `${text[0]}${digits ? `.${digits}` : ''}e+${exponent}`;
  }
  return dot === -1 ? `${text}.0` : text;
}
