// The flag of all commands that read the values of a chart that contains this one.

export const subchartFlag = [
  '--subchart <key>',
  'read what the files have below this key: values of a chart that contains this one',
] as const;
