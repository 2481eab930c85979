// Text in what Helm reads as a template: a chart's files, and values that a chart gives to `tpl`.

/** Returns the text such that the template's output is the text. */
export function helmText(text: string): string {
  return text.replaceAll('{{', '{{ "{{" }}');
}
